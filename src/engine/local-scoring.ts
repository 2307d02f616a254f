/**
 * How likely choices and texts are, computed by the scheduler beside what is written: a choice is a branch behind the question,
 * and all branches of a question fit into one run.
 */
import { SpoutError } from '../errors.ts'
import { type Branch, ChoiceTrie } from '../scoring/choice-trie.ts'
import { totalOf } from '../scoring/row-logprobs.ts'
import { type ScoreWindow, scoreWindows } from '../scoring/windows.ts'
import type { AnswerModel } from './answer-job.ts'
import { type EncodedChoices, encodeChoices } from './encode-choices.ts'
import { commonLength } from './encode-prompt.ts'
import { checkFits } from './length.ts'
import { type QuestionCaches, ScoreCaches, type ScoreCachesParts } from './score-caches.ts'
import { runScore } from './score-job.ts'
import {
  type ChoiceRequest,
  type ChoiceResult,
  checkChoices,
  type ScoredToken,
  type ScoreIo,
  type ScoreRequest,
  type ScoreResult,
} from './score-request.ts'
import { nameOf } from './token-names.ts'

type ScoringParts = ScoreCachesParts & Pick<AnswerModel, 'backend' | 'template' | 'chatStops'>

/** Beginnings shorter than this are computed with each question. */
const LEAST_SHARED = 8
/** Questions whose answers to an empty input are kept. */
const MOST_PRIORS = 64

export class LocalScoring {
  readonly #parts: ScoringParts
  readonly #caches: ScoreCaches
  /** By the ids of the question with an empty input and of its choices. */
  readonly #priors = new Map<string, Promise<readonly number[]>>()

  constructor(parts: ScoringParts) {
    this.#parts = parts
    this.#caches = new ScoreCaches(parts)
  }

  async choose(asked: ChoiceRequest, io: ScoreIo = {}): Promise<ChoiceResult> {
    this.#parts.scheduler.throwIfClosed()
    checkChoices(asked.choices)
    const { request, empty, prior = empty !== undefined, choices } = asked
    if (prior && empty === undefined)
      throw new SpoutError('usage', 'choices: a prior needs the question with an empty input')
    const encoded = this.#encode(request, asked)
    const without = empty && this.#encode(empty, asked)
    const shared = without === undefined ? 0 : commonLength(encoded.prompt, without.prompt)
    const [priors, { logprobs, held }] = await Promise.all([
      prior ? this.#prior(without!, asked, shared) : undefined,
      this.#branches(encoded, asked, { shared, io }),
    ])
    return {
      choices: choices.map((choice, i) => ({ choice, logprob: logprobs[i]!, prior: priors?.[i] })),
      promptTokens: encoded.prompt.length,
      keptTokens: held,
      isChat: encoded.isChat,
    }
  }

  async score(request: ScoreRequest, io: ScoreIo = {}): Promise<ScoreResult> {
    this.#parts.scheduler.throwIfClosed()
    const { ids, first } = this.#encodeText(request)
    const windows = scoreWindows(ids.length, first, this.#parts.backend.contextLength)
    const tokens: ScoredToken[] = []
    for (const window of windows) {
      const shared = window.start === 0 && first > LEAST_SHARED ? first - 1 : 0
      await this.#scoreWindow(ids, window, { shared, io, tokens })
    }
    const logprob = tokens.reduce((sum, each) => sum + each.logprob, 0)
    return { tokens, logprob, perplexity: Math.exp(-logprob / tokens.length), windows: windows.length }
  }

  dispose(): void {
    this.#caches.dispose()
  }

  #encode(request: ChoiceRequest['request'], { choices }: ChoiceRequest): EncodedChoices {
    const { backend, template } = this.#parts
    const encoded = encodeChoices(request, choices, { tokenizer: backend.tokenizer, template })
    const longest = Math.max(...encoded.choices.map((ids) => ids.length))
    checkFits(encoded.prompt.length + longest, backend.contextLength)
    return encoded
  }

  /** Computed once, whoever asks first, and whatever becomes of who asked. */
  #prior(encoded: EncodedChoices, asked: ChoiceRequest, shared: number): Promise<readonly number[]> {
    const key = [encoded.prompt, ...encoded.choices, [asked.wholeAnswer]].join(';')
    const known = this.#priors.get(key)
    if (known !== undefined) return known
    const found = this.#branches(encoded, asked, { shared, io: {} }).then(({ logprobs }) => logprobs)
    this.#priors.set(key, found)
    found.catch(() => this.#priors.delete(key))
    const [oldest] = this.#priors.keys()
    if (this.#priors.size > MOST_PRIORS) this.#priors.delete(oldest!)
    return found
  }

  async #branches(
    { prompt, choices, isChat }: EncodedChoices,
    { wholeAnswer = true }: ChoiceRequest,
    { shared, io }: { readonly shared: number; readonly io: ScoreIo },
  ): Promise<{ readonly logprobs: readonly number[]; readonly held: number }> {
    const { backend, chatStops, scheduler } = this.#parts
    const ends = isChat ? (chatStops ?? backend.stopTokenIds) : backend.stopTokenIds
    const trie = new ChoiceTrie(choices, wholeAnswer ? ends : undefined)
    const caches = await this.#caches.open(prompt, shared < LEAST_SHARED ? 0 : shared, io.signal)
    try {
      const first = prompt.length - 1
      const read = (row: Float32Array): void => trie.readRoot(row)
      const held = await runScore(scheduler, { kept: caches.prompt, ids: prompt, first, read, io })
      await this.#runBranches(trie.branches, { prompt, caches, io })
      return { logprobs: trie.logprobs(), held }
    } finally {
      caches.close()
    }
  }

  /** All at once, and all have ended when it returns. */
  async #runBranches(
    branches: readonly Branch[],
    {
      prompt,
      caches,
      io,
    }: { readonly prompt: Int32Array; readonly caches: QuestionCaches; readonly io: ScoreIo },
  ): Promise<void> {
    const runs = branches.map((branch) => {
      const ids = Int32Array.from([...prompt, ...branch.ids])
      return runScore(this.#parts.scheduler, {
        ...{ kept: caches.branch(), ids, io, first: prompt.length + branch.first },
        read: (row, index) => branch.read(row, index - prompt.length),
      })
    })
    const ends = await Promise.allSettled(runs)
    for (const end of ends) if (end.status === 'rejected') throw end.reason
  }

  /** The ids of the prompt and the text, and the first that is scored. */
  #encodeText({ text, prompt = '', allowSpecial = false }: ScoreRequest) {
    const { tokenizer, contextLength } = this.#parts.backend
    const ids = tokenizer.encode(prompt + text, { allowSpecial })
    const before = prompt === '' ? 0 : commonLength(tokenizer.encode(prompt, { allowSpecial }), ids)
    const first = Math.max(1, before)
    if (first >= ids.length) {
      const hint = 'the first token has nothing before it that it could be likely after'
      throw new SpoutError('data', 'text: there is no token to score', ids.length === 1 ? { hint } : {})
    }
    if (first > contextLength) checkFits(first, contextLength)
    return { ids, first }
  }

  async #scoreWindow(
    ids: Int32Array,
    { start, first, end }: ScoreWindow,
    { shared, io, tokens }: { readonly shared: number; readonly io: ScoreIo; readonly tokens: ScoredToken[] },
  ): Promise<void> {
    const { backend, scheduler } = this.#parts
    // The last is scored and not run.
    const run = ids.slice(start, end - 1)
    const caches = await this.#caches.open(run, shared, io.signal)
    const read = (row: Float32Array, index: number): void => {
      const id = ids[start + index + 1]!
      const logprob = row[id]! - totalOf(row, start + index)
      tokens.push({ id, ...nameOf(id, backend.tokenizer), logprob })
    }
    try {
      await runScore(scheduler, { kept: caches.prompt, ids: run, first: first - start - 1, read, io })
    } finally {
      caches.close()
    }
  }
}
