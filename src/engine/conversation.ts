/**
 * Requests over one KV cache. Each request brings its whole prompt. The longest common prefix of the prompt's ids and the
 * cache's is reused, and only the ids after it are prefilled: a new turn, or all from an edited message on.
 *
 * Where decoding rounds otherwise than prefill, only ids that went in as a prompt are reused: an answer is run again,
 * with the turn after it or, by `settle`, while nobody waits.
 */
import { runnerOf } from '../backend/run-forward.ts'
import { afterDispose } from '../errors.ts'
import { Scheduler } from '../scheduler/scheduler.ts'
import { AnswerJob, type AnswerModel, markingAtEnd, runAnswer } from './answer-job.ts'
import { type EncodedPrompt, encodePrompt, knownIds } from './encode-prompt.ts'
import type { Conversation, EngineResult, RequestIo, Settled, SettleIo } from './engine.ts'
import { type CacheSource, KeptCache } from './kept-cache.ts'
import { checkFits } from './length.ts'
import type { GenerateRequest } from './request.ts'
import { SettleJob } from './settle-job.ts'
import type { SharedCaches } from './shared-caches.ts'
import type { StoredPrompts } from './stored-prompts.ts'
import { type Turn, Turns } from './turns.ts'

export interface ConversationParts extends AnswerModel {
  /** Told what happens to a prompt that nobody would expect. */
  readonly note?: ((text: string) => void) | undefined
  /** Of all conversations over this backend; without it this one is alone. */
  readonly scheduler?: Scheduler
  /** Where its cache comes from; without it, it holds nothing at first. */
  readonly caches?: CacheSource | undefined
  /** What other processes have left on disk. */
  readonly stored?: StoredPrompts | undefined
}

export class LocalConversation implements Conversation {
  readonly #parts: ConversationParts
  readonly #scheduler: Scheduler
  /** There is one cache: requests that come at once wait for each other. */
  readonly #turns = new Turns()
  readonly #goesOn: boolean
  readonly #kept: KeptCache
  /** Of the request that runs. */
  #turn: Turn | undefined
  #isDisposed = false

  /** @param options.goesOn more requests will follow: states that cannot go back are worth a copy */
  constructor(parts: ConversationParts, { goesOn = false }: { goesOn?: boolean } = {}) {
    this.#parts = parts
    this.#scheduler = parts.scheduler ?? schedulerOf(parts)
    this.#goesOn = goesOn
    this.#kept = new KeptCache(parts.backend, parts.caches)
  }

  encode(request: GenerateRequest): EncodedPrompt {
    return encodePrompt(request, this.#parts.backend.tokenizer, this.#parts.template)
  }

  async generate(request: GenerateRequest, io: RequestIo): Promise<EngineResult> {
    const result = await this.#inTurn(io.signal, (signal) => this.#generate(request, { ...io, signal }))
    return result ?? this.#endAborted(request, io)
  }

  async settle(next: GenerateRequest, io: SettleIo = {}): Promise<Settled> {
    const settled = await this.#inTurn(io.signal, (signal) => this.#settle(next, { ...io, signal }))
    return settled ?? NOTHING
  }

  /** A request that runs is aborted first. */
  dispose(): void {
    this.#isDisposed = true
    if (this.#turn === undefined) this.#kept.drop()
    else this.#turn.abort(afterDispose('conversation'))
  }

  /** `undefined` when the signal aborts before it is this request's turn. */
  async #inTurn<T>(
    asked: AbortSignal | undefined,
    act: (signal: AbortSignal) => Promise<T>,
  ): Promise<T | undefined> {
    this.#refuseIfClosed()
    const turn = await this.#turns.enter(asked)
    if (turn === undefined) return undefined
    try {
      this.#refuseIfClosed()
      this.#turn = turn
      return await act(turn.signal)
    } finally {
      this.#turn = undefined
      if (this.#isDisposed) this.#kept.drop()
      turn.leave()
    }
  }

  #refuseIfClosed(): void {
    this.#scheduler.throwIfClosed()
    if (this.#isDisposed) throw afterDispose('conversation')
  }

  /** The result of a request whose signal aborted before its turn: nothing here is touched by it. */
  async #endAborted(request: GenerateRequest, io: RequestIo): Promise<EngineResult> {
    const other = new LocalConversation({ ...this.#parts, scheduler: this.#scheduler })
    return other.#generate(request, io)
  }

  async #generate(request: GenerateRequest, io: RequestIo): Promise<EngineResult> {
    const prompt = readPrompt(this.#parts, request, io)
    const { stored } = this.#parts
    const fromDisk = stored && (await stored.bring(prompt.ids))
    const asked = { request, io, prompt, fromDisk, kept: this.#kept, goesOn: this.#goesOn }
    return runAnswer(this.#scheduler, new AnswerJob(this.#parts, asked))
  }

  async #settle(next: GenerateRequest, { signal, trace, onPrefill }: SettleIo): Promise<Settled> {
    const { backend, template } = this.#parts
    const kept = this.#kept
    const startedAt = performance.now()
    if (kept.cache === undefined || !backend.settles) return NOTHING
    const ids = knownIds(next, backend.tokenizer, template)
    const shared = kept.shared(ids)
    // One id alone would run as in decoding.
    if (ids.length - shared < kept.rest || ids.length >= backend.contextLength) return NOTHING
    const io = { signal, onPrefill: this.#goesOn ? markingAtEnd(kept, onPrefill) : onPrefill }
    const job = new SettleJob({ backend, kept, ids, shared, io })
    await this.#scheduler.run(job)
    const settled = { tokens: kept.length - job.held, ms: performance.now() - startedAt }
    trace?.('settled', { kept: job.held, ...settled })
    return settled
  }
}

const NOTHING: Settled = { tokens: 0, ms: 0 }

/** The ids of a request, when they are not known yet. @throws SpoutError `data` when they leave no room for an answer */
export function readPrompt(
  { backend, template, note: noteOfEngine }: ConversationParts,
  request: GenerateRequest,
  { encoded, note = noteOfEngine }: Pick<RequestIo, 'encoded' | 'note'> = {},
): EncodedPrompt {
  const prompt = encoded ?? encodePrompt(request, backend.tokenizer, template)
  checkFits(prompt.ids.length, backend.contextLength)
  for (const text of prompt.notes) note?.(text)
  const isExact = backend.runner?.numerics.exactRows === true
  if (typeof request.drafts === 'number' && !isExact)
    note?.(
      'drafts: rows of a run of this model depend on the rows beside them: without drafts the text may differ',
    )
  return prompt
}

/** For all texts of a backend. */
export function schedulerOf(
  { backend, costs, stepMs }: AnswerModel & { readonly stepMs?: number | undefined },
  caches?: SharedCaches,
): Scheduler {
  const reclaim = caches && ((pages: number): void => caches.reclaim(pages))
  const pool = backend.runner?.pool ?? WITHOUT_LIMIT
  return new Scheduler({ runner: runnerOf(backend), pool, reclaim, pace: costs, stepMs })
}

const WITHOUT_LIMIT = { freePages: Number.POSITIVE_INFINITY }
