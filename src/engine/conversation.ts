/**
 * Requests over one KV cache. Each request brings its whole prompt. The longest common prefix of the prompt's ids and the
 * cache's is reused, and only the ids after it are prefilled: a new turn, or all from an edited message on.
 *
 * Where decoding rounds otherwise than prefill, only ids that went in as a prompt are reused: an answer is run again,
 * with the turn after it or, by `settle`, while nobody waits.
 */
import type { Backend, KvCache } from '../backend/backend.ts'
import type { ChatTemplate } from '../chat-template/chat-template.ts'
import { afterDispose } from '../errors.ts'
import { generate } from '../generation/generate.ts'
import { prefill } from '../generation/prefill.ts'
import { markerIds, type ThinkMarkers, thinkMarkersOf } from '../generation/think-markers.ts'
import { createSampler, type Sampler } from '../sampling/sampler.ts'
import type { SamplingOptions } from '../sampling/sampling-params.ts'
import { commonLength, type EncodedPrompt, encodePrompt, knownIds } from './encode-prompt.ts'
import type { AnswerSink, Conversation, EngineResult, RequestIo, Settled, SettleIo } from './engine.ts'
import { checkFits } from './length.ts'
import { type SplittingSink, splitReasoning } from './reasoning.ts'
import { DEFAULT_RAW_TOKENS, type GenerateRequest } from './request.ts'
import { namingTokens } from './token-names.ts'
import { type Turn, Turns } from './turns.ts'

export interface ConversationParts {
  /** Borrowed. */
  readonly backend: Backend
  /** The author's sampling, under what a request sets. */
  readonly defaults: SamplingOptions
  readonly template: ChatTemplate | undefined
  /** What ends an answer of a chat; without it what ends any text. */
  readonly chatStops?: ReadonlySet<number> | undefined
  /** Told what happens to a prompt that nobody would expect. */
  readonly note?: ((text: string) => void) | undefined
  /** Of all conversations over this backend; without it this one is alone. */
  readonly turns?: Turns
}

export class LocalConversation implements Conversation {
  readonly #parts: ConversationParts
  readonly #turns: Turns
  readonly #goesOn: boolean
  #cache: KvCache | undefined
  /** The ids the cache holds. */
  #held = new Int32Array(0)
  /** How many of them, from the first on, are as a prompt leaves them. */
  #settled = 0
  /** Of the request that runs. */
  #turn: Turn | undefined
  #isDisposed = false

  /** @param options.goesOn more requests will follow: states that cannot go back are worth a copy */
  constructor(parts: ConversationParts, { goesOn = false }: { goesOn?: boolean } = {}) {
    this.#parts = parts
    this.#turns = parts.turns ?? new Turns()
    this.#goesOn = goesOn
  }

  encode(request: GenerateRequest): EncodedPrompt {
    return encodePrompt(request, this.#parts.backend.tokenizer, this.#parts.template)
  }

  async generate(request: GenerateRequest, door: RequestIo): Promise<EngineResult> {
    const result = await this.#inTurn(door.signal, (signal) => this.#generate(request, { ...door, signal }))
    return result ?? this.#endAborted(request, door)
  }

  async settle(next: GenerateRequest, door: SettleIo = {}): Promise<Settled> {
    const settled = await this.#inTurn(door.signal, (signal) => this.#settle(next, { ...door, signal }))
    return settled ?? NOTHING
  }

  /** A request that runs is aborted first. */
  dispose(): void {
    this.#isDisposed = true
    if (this.#turn === undefined) this.#drop()
    else this.#turn.abort(afterDispose('conversation'))
  }

  /** `undefined` when the signal aborts before it is this request's turn. */
  async #inTurn<T>(
    asked: AbortSignal | undefined,
    act: (signal: AbortSignal) => Promise<T>,
  ): Promise<T | undefined> {
    if (this.#isDisposed) throw afterDispose('conversation')
    const turn = await this.#turns.enter(asked)
    if (turn === undefined) return undefined
    try {
      if (this.#isDisposed) throw afterDispose('conversation')
      this.#turn = turn
      return await act(turn.signal)
    } finally {
      this.#turn = undefined
      if (this.#isDisposed) this.#drop()
      turn.leave()
    }
  }

  /** The result of a request whose signal aborted before its turn: nothing here is touched by it. */
  async #endAborted(request: GenerateRequest, door: RequestIo): Promise<EngineResult> {
    const other = new LocalConversation(this.#parts)
    try {
      return await other.#generate(request, door)
    } finally {
      other.dispose()
    }
  }

  async #generate(request: GenerateRequest, door: RequestIo): Promise<EngineResult> {
    const { backend, defaults, template } = this.#parts
    const prompt = door.encoded ?? encodePrompt(request, backend.tokenizer, template)
    const { ids } = prompt
    checkFits(ids.length, backend.contextLength)
    for (const note of prompt.notes) this.#parts.note?.(note)
    const { vocabSize, contextLength } = backend
    const sampling = { ...defaults, ...present(request.sampling) }
    const sampler = createSampler(sampling, { vocabSize, contextLength, stopTokenIds: this.#stopsOf(prompt) })
    const maxTokens = request.maxTokens ?? (prompt.rendered === undefined ? DEFAULT_RAW_TOKENS : 0)
    const kept = this.#keep(ids, ids.length + (maxTokens || DEFAULT_RAW_TOKENS))
    sampler.accept(ids.subarray(0, kept))
    door.trace?.('prompt', { tokens: ids.length, kept, text: prompt.rendered ?? request.text })
    const facts = {
      ...{ promptTokens: ids.length, keptTokens: kept, seed: sampler.seed },
      ...{ sampling, isChat: prompt.rendered !== undefined },
    }
    door.onStart?.(facts)
    door.onPrefill?.(0, ids.length - kept)
    const result = await this.#run({ request, door, prompt, sampler, maxTokens, kept })
    return {
      ...result,
      ...facts,
      maxTokens,
      lengthLimit: request.maxTokens === undefined ? 'default' : 'asked',
    }
  }

  async #settle(next: GenerateRequest, { signal, trace, onPrefill }: SettleIo): Promise<Settled> {
    const { backend, template } = this.#parts
    const startedAt = performance.now()
    if (this.#cache === undefined || !backend.settles) return NOTHING
    const ids = knownIds(next, backend.tokenizer, template)
    const shared = this.#shared(ids)
    // One id alone would run as in decoding.
    if (ids.length - shared < REST || ids.length >= backend.contextLength) return NOTHING
    const kept = this.#cutTo(shared, ids.length)
    onPrefill?.(0, ids.length - kept)
    try {
      await prefill(backend, {
        ids: ids.subarray(kept),
        cache: this.#cache,
        signal,
        onProgress: this.#marking(onPrefill),
      })
    } catch (error) {
      if (!signal?.aborted) throw error
    } finally {
      this.#hold(ids, ids.length)
    }
    const settled = { tokens: this.#held.length - kept, ms: performance.now() - startedAt }
    trace?.('settled', { kept, ...settled })
    return settled
  }

  #drop(): void {
    this.#cache?.dispose()
    this.#cache = undefined
    this.#held = new Int32Array(0)
    this.#settled = 0
  }

  async #run({ request, door, prompt, sampler, maxTokens, kept }: RunInput) {
    const { backend, template } = this.#parts
    const { ignoreEos } = request
    const cache = this.#cache!
    const markers = template && thinkMarkersOf(template.source, backend.tokenizer)
    const split = splitterOf(door.sink, { request, prompt, markers })
    const sink = split ?? door.sink
    let generated: readonly number[] = []
    try {
      const result = await generate({
        ...door,
        onPrefill: this.#marking(door.onPrefill),
        sink: request.sampling.logprobs === undefined ? sink : namingTokens(sink, backend.tokenizer),
        stopStrings: split === undefined || request.stopInReasoning ? request.stopStrings : [],
        stopped: split && (() => split.stopped),
        ignoreEos,
        backend,
        cache,
        promptIds: prompt.ids.subarray(kept),
        sampler,
        maxTokens,
        continuation: prompt.rendered === undefined,
        keepIds: split && markerIds(backend.tokenizer, markers!),
        stopTokenIds: this.#stopsOf(prompt),
      })
      generated = result.tokenIds
      await split?.end()
      const isEmpty = split?.onlyReasoned === true && result.finishReason !== 'aborted'
      return isEmpty ? { ...result, finishReason: 'reasoning' as const } : result
    } finally {
      // After a failure the generated ids are not known: what is beyond the prompt is forgotten.
      this.#hold(Int32Array.from([...prompt.ids, ...generated]), prompt.ids.length)
      await split?.end()
    }
  }

  #stopsOf({ rendered }: EncodedPrompt): ReadonlySet<number> {
    const { backend, chatStops } = this.#parts
    return rendered === undefined ? backend.stopTokenIds : (chatStops ?? backend.stopTokenIds)
  }

  /** Brings the cache to the common beginning of `ids` and what it holds; gives its length, always less than all. */
  #keep(ids: Int32Array, expectedTokens: number): number {
    return this.#cutTo(Math.max(0, Math.min(this.#shared(ids), ids.length - REST)), expectedTokens)
  }

  /** How many of `ids` are in the cache as a run over all of them would leave them. */
  #shared(ids: Int32Array): number {
    // Where the split of a text over runs changes the logits, only a whole new run gives what a fresh one would.
    return this.#parts.backend.exactSplits ? Math.min(commonLength(this.#held, ids), this.#settled) : 0
  }

  /** Cuts the cache to `length`, or makes another where that cannot be done; gives its length. */
  #cutTo(length: number, expectedTokens: number): number {
    this.#cache?.trim(length)
    if (this.#cache !== undefined && this.#cache.length !== length) this.#drop()
    this.#cache ??= this.#parts.backend.createCache(expectedTokens)
    return this.#cache.length
  }

  /** Notes what the cache holds after a run of `ids`, of which the first `prompted` were given as a prompt. */
  #hold(ids: Int32Array, prompted: number): void {
    this.#held = ids.slice(0, this.#cache!.length)
    this.#settled = this.#held.length
    if (this.#parts.backend.settles) this.#settled = Math.min(this.#settled, prompted < REST ? 0 : prompted)
  }

  /** Keeps the states at the end of a prompt, where they can go back to nothing else: the next turn begins there. */
  #marking(onPrefill: RequestIo['onPrefill']): RequestIo['onPrefill'] {
    if (!this.#goesOn) return onPrefill
    return (done, total) => {
      if (done === total) this.#cache?.mark()
      onPrefill?.(done, total)
    }
  }
}

const NOTHING: Settled = { tokens: 0, ms: 0 }

/** Ids that are run in any case: one for its logits, and two so that they run as a prompt does (see pieces.ts). */
const REST = 2

interface RunInput {
  readonly request: GenerateRequest
  readonly door: RequestIo
  readonly prompt: EncodedPrompt
  readonly sampler: Sampler
  readonly maxTokens: number
  readonly kept: number
}

interface SplitterParts extends Pick<RunInput, 'request' | 'prompt'> {
  readonly markers: readonly ThinkMarkers[] | undefined
}

function splitterOf(
  sink: AnswerSink,
  { request, prompt, markers }: SplitterParts,
): SplittingSink | undefined {
  const { rendered } = prompt
  if (rendered === undefined || markers === undefined || sink.reasoning === undefined) return undefined
  return splitReasoning(sink as Required<AnswerSink>, {
    markers,
    prompt: rendered,
    stopStrings: request.stopInReasoning ? [] : request.stopStrings,
  })
}

/** The options that are set: an absent one must not hide the default. */
function present(options: SamplingOptions): SamplingOptions {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))
}
