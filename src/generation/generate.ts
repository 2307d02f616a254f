/**
 * The token loop. It sees ids and logits; text exists only in the output stream and after it. Per token: one forward,
 * one choice, one piece to the sink. The first token is chosen the same way as every other.
 */
import type { Backend, KvCache, Logits } from '../backend/backend.ts'
import type { Sampler } from '../sampling/sampler.ts'
import type { Trace } from '../trace.ts'
import { prefill } from './prefill.ts'
import { sampleNext } from './sample-next.ts'
import { type FinishReason, tokenBudget } from './stop-criteria.ts'
import { StopStrings } from './stop-strings.ts'
import type { Timings } from './timings.ts'
import { TokenOutputStream } from './token-output-stream.ts'
import type { TokenSink } from './token-sink.ts'

export interface GenerateOptions {
  readonly backend: Backend
  /** Holds the beginning of the prompt, or nothing. Afterwards the prompt and all ids but the last. */
  readonly cache: KvCache
  /** The ids to append to the cache: at least one, and room for one more in the context. */
  readonly promptIds: Int32Array
  readonly sampler: Sampler
  readonly sink: TokenSink
  /** 0 = until a stop id or the context is full. */
  readonly maxTokens: number
  readonly ignoreEos?: boolean
  /** What ends it, in place of the backend's. */
  readonly stopTokenIds?: ReadonlySet<number>
  readonly stopStrings?: readonly string[]
  /** The output continues the prompt's text rather than starting one of its own: a leading space stays. */
  readonly continuation?: boolean
  /** Special ids whose text is part of the output all the same: the markers of a reasoning block. */
  readonly keepIds?: ReadonlySet<number> | undefined
  readonly signal?: AbortSignal | undefined
  readonly trace?: Trace | undefined
  readonly onPrefill?: ((done: number, total: number) => void) | undefined
}

export interface GenerateResult {
  readonly finishReason: FinishReason
  /** The generated ids, a stop id not among them. */
  readonly tokenIds: readonly number[]
  readonly timings: Timings
}

/**
 * Generates until a stop id, a stop string, the budget, or an abort, which ends it like any other end: text so far
 * is delivered and the reason is `aborted`.
 * @throws SpoutError `failed` when the logits are not finite; text so far has been delivered.
 */
export async function generate(options: GenerateOptions): Promise<GenerateResult> {
  const { backend, cache, promptIds, signal, trace } = options
  const run = new Run(options)
  try {
    let logits = await prefill(backend, { ids: promptIds, cache, signal, onProgress: options.onPrefill })
    run.prefilled()
    trace?.('prefill', { tokens: promptIds.length, ms: run.prefillMs })
    const next = new Int32Array(1)
    while (run.budget > 0) {
      const id = await run.step(logits)
      if (run.finishReason !== undefined) break
      next[0] = id
      logits = await backend.forward(next, cache, signal)
    }
  } catch (error) {
    if (!signal?.aborted) {
      await run.flush()
      throw error
    }
    run.finishReason = 'aborted'
  }
  await run.flush()
  return run.result()
}

/** The state of one generation. */
class Run {
  finishReason: FinishReason | undefined
  budget: number
  readonly #options: GenerateOptions
  readonly #stream: TokenOutputStream
  readonly #stops: StopStrings
  readonly #stopIds: ReadonlySet<number>
  readonly #ids: number[] = []
  readonly #startedAt = performance.now()
  #prefilledAt = 0
  #steppedAt = 0
  #firstTextAt: number | undefined

  constructor(options: GenerateOptions) {
    const { backend, cache, promptIds, sampler, maxTokens, stopStrings = [], continuation = false } = options
    const { keepIds: keep } = options
    this.#options = options
    this.#stream = new TokenOutputStream(backend.tokenizer, { continuation, ...(keep && { keep }) })
    this.#stops = new StopStrings(stopStrings)
    this.#stopIds = options.ignoreEos ? NO_IDS : (options.stopTokenIds ?? backend.stopTokenIds)
    this.budget = tokenBudget({
      maxTokens,
      contextLength: backend.contextLength,
      promptTokens: cache.length + promptIds.length,
    })
    sampler.accept(promptIds)
  }

  get prefillMs(): number {
    return this.#prefilledAt - this.#startedAt
  }

  prefilled(): void {
    this.#prefilledAt = this.#steppedAt = performance.now()
  }

  /** Chooses an id and writes its piece. Sets `finishReason` when it was the last. */
  async step(logits: Logits): Promise<number> {
    const { sampler, sink } = this.#options
    const id = sampleNext(logits.row, sampler)
    const isStop = this.#stopIds.has(id)
    const piece = isStop ? '' : this.#stops.push(this.#stream.push(id))
    this.#trace(id, piece, isStop)
    if (isStop) {
      this.finishReason = 'stop'
      return id
    }
    this.#ids.push(id)
    if (this.#stops.matched !== undefined) this.finishReason = 'stop-string'
    else if (this.#ids.length >= this.budget) this.finishReason = 'length'
    const full = sink.token(id, piece, sampler.logprobs)
    if (piece !== '') this.#firstTextAt ??= performance.now()
    if (full !== undefined) await full
    return id
  }

  /** Hands over what was held back. */
  async flush(): Promise<void> {
    const text = this.#stops.push(this.#stream.flush()) + this.#stops.flush()
    if (text === '') return
    await this.#options.sink.rest(text)
    this.#firstTextAt ??= performance.now()
  }

  result(): GenerateResult {
    return {
      finishReason: this.finishReason ?? 'length',
      tokenIds: this.#ids,
      timings: {
        startedAt: this.#startedAt,
        prefilledAt: this.#prefilledAt,
        endedAt: this.#steppedAt,
        firstTextAt: this.#firstTextAt,
      },
    }
  }

  #trace(id: number, piece: string, isStop: boolean): void {
    const now = performance.now()
    this.#options.trace?.('token', {
      position: this.#options.cache.length,
      id,
      piece,
      eos: isStop,
      ms: now - this.#steppedAt,
    })
    this.#steppedAt = now
  }
}

const NO_IDS: ReadonlySet<number> = new Set()
