/**
 * The token loop. It sees ids and logits; text exists only in the output stream and after it. Per token: one forward,
 * one choice, one piece to the sink. The first token is chosen the same way as every other.
 */
import type { Backend, KvCache, Part, Rows, Runner } from '../backend/backend.ts'
import { runForward } from '../backend/run-forward.ts'
import type { Constraint } from '../grammar/constraint.ts'
import type { Sampler } from '../sampling/sampler.ts'
import type { Trace } from '../trace.ts'
import { type ForcedCounts, Sequence } from './sequence.ts'
import { budgetReason, type FinishReason, tokenBudget } from './stop-criteria.ts'
import { TextOut } from './text-out.ts'
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
  /** What the text must satisfy: the sampler's mask. */
  readonly constraint?: Constraint | undefined
  /** Default true: what must come is run ahead, where that changes no bit. */
  readonly jump?: boolean | undefined
  readonly sink: TokenSink
  /** 0 = until a stop id or the context is full. */
  readonly maxTokens: number
  readonly ignoreEos?: boolean
  /** What ends it, in place of the backend's. */
  readonly stopTokenIds?: ReadonlySet<number>
  readonly stopStrings?: readonly string[]
  /** True once the sink wants no more: it may look for stop texts itself, in a part of the text. */
  readonly stopped?: (() => boolean) | undefined
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
  /** Of a text with a constraint. */
  readonly structure?: StructureResult | undefined
}

interface StructureResult extends Readonly<ForcedCounts> {
  /** The text satisfies it, as a whole. */
  readonly isComplete: boolean
}

/**
 * Generates until a stop id, a stop string, the budget, or an abort, which ends it like any other end: text so far
 * is delivered and the reason is `aborted`.
 * @throws SpoutError `failed` when the logits are not finite; text so far has been delivered.
 */
export async function generate(options: GenerateOptions): Promise<GenerateResult> {
  const { backend, signal } = options
  const text = sequenceOf(options)
  try {
    await runToEnd(backend.runner ?? runForward(backend), text, { most: backend.prefillChunk, signal })
  } catch (error) {
    if (!signal?.aborted) {
      await text.end()
      throw error
    }
    text.finished = 'aborted'
  }
  await text.end()
  const { constraint } = options
  return {
    ...{ finishReason: text.finished!, tokenIds: [...text.chosen], timings: text.timings },
    ...(constraint && { structure: { ...text.forced, isComplete: constraint.isComplete } }),
  }
}

/** The loop: the scheduler of one text. */
async function runToEnd(
  runner: Pick<Runner, 'run'>,
  text: Sequence,
  { most, signal }: { readonly most: number; readonly signal: AbortSignal | undefined },
): Promise<void> {
  const batch: Part[] = []
  while (text.finished === undefined) {
    batch[0] = text.next(most)
    const rows = runner.run(batch, signal)
    await text.take(await beside(rows, text), 0)
  }
}

/** Finds what may be chosen next while the model computes. */
function beside(rows: Promise<Rows>, text: Sequence): Promise<Rows> {
  try {
    text.foresee()
    return rows
  } catch (error) {
    // Whoever hears of it disposes what the run is in.
    const failed = (): never => {
      throw error
    }
    return rows.then(failed, failed)
  }
}

function sequenceOf(options: GenerateOptions): Sequence {
  const { backend, cache, promptIds, sampler, maxTokens, continuation = false, keepIds: keep } = options
  const { contextLength, tokenizer } = backend
  const stream = new TokenOutputStream(tokenizer, { continuation, ...(keep && { keep }) })
  const spent = { maxTokens, contextLength, promptTokens: cache.length + promptIds.length }
  return new Sequence({
    kv: cache,
    prompt: promptIds,
    sampler,
    constraint: options.constraint,
    jump: options.jump !== false && backend.runner?.numerics.exactRows === true,
    out: new TextOut(stream, options.sink, options),
    limits: {
      budget: tokenBudget(spent),
      atBudget: budgetReason(spent),
      stopIds: options.ignoreEos ? NO_IDS : (options.stopTokenIds ?? backend.stopTokenIds),
    },
    trace: options.trace,
    onPrefill: options.onPrefill,
  })
}

const NO_IDS: ReadonlySet<number> = new Set()
