/**
 * The token loop. It sees ids and logits; text exists only in the output stream and after it. Per token: one forward,
 * one choice, one piece to the sink. The first token is chosen the same way as every other.
 */
import type { Backend, KvCache, Part, Rows, Runner } from '../backend/backend.ts'
import { runForward } from '../backend/run-forward.ts'
import type { Constraint } from '../grammar/constraint.ts'
import type { Sampler } from '../sampling/sampler.ts'
import { makeText, type TextOptions } from './make-text.ts'
import type { Sequence } from './sequence.ts'
import type { DraftCounts, ForcedCounts } from './sequence-parts.ts'
import type { FinishReason } from './stop-criteria.ts'
import type { Timings } from './timings.ts'

export interface GenerateOptions extends Omit<TextOptions, 'jump'> {
  readonly backend: Backend
  /** Holds the beginning of the prompt, or nothing. Afterwards the prompt and all ids but the last. */
  readonly cache: KvCache
  /** The ids to append to the cache: at least one, and room for one more in the context. */
  readonly promptIds: Int32Array
  /** Default true: what must come is run ahead, where that changes no bit. */
  readonly jump?: boolean | undefined
  /** Told what runs without ids of the prompt took: drafters guess as many ids as pay. */
  readonly pace?: { ran(rows: number, ms: number): void } | undefined
  readonly signal?: AbortSignal | undefined
}

export interface GenerateResult {
  readonly finishReason: FinishReason
  /** The generated ids, a stop id not among them. */
  readonly tokenIds: readonly number[]
  readonly timings: Timings
  /** Of a text with drafters. */
  readonly drafts?: Readonly<DraftCounts> | undefined
  /** Of a text with a constraint. */
  readonly structure?: StructureResult | undefined
}

export interface StructureResult extends Readonly<ForcedCounts> {
  /** The text satisfies it, as a whole. */
  readonly isComplete: boolean
  /** It was brought to an end in time: the model might have written more. */
  readonly wasClosed: boolean
  /** A ban would have left nothing that the structure allows: it was passed over. */
  readonly overruled: boolean
  /** Ids that would have made it whole; `undefined` where no way is known. */
  readonly needed: number | undefined
}

/**
 * Generates until a stop id, a stop string, the budget, or an abort, which ends it like any other end: text so far
 * is delivered and the reason is `aborted`.
 * @throws SpoutError `failed` when the logits are not finite; text so far has been delivered.
 */
export async function generate(options: GenerateOptions): Promise<GenerateResult> {
  const { backend, pace, signal } = options
  const text = textOf(options)
  try {
    await runToEnd(backend.runner ?? runForward(backend), text, { most: backend.prefillChunk, pace, signal })
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
    ...(text.isDrafted && { drafts: { ...text.drafts } }),
    ...(constraint && { structure: structureResult(constraint, text, options.sampler) }),
  }
}

export function structureResult(
  constraint: Constraint,
  { forced }: Sequence,
  { overruled = false }: Sampler,
): StructureResult {
  const { isComplete, wasClosed = false, needed = Number.POSITIVE_INFINITY } = constraint
  return { ...forced, isComplete, wasClosed, overruled, needed: Number.isFinite(needed) ? needed : undefined }
}

/** The loop: the scheduler of one text. */
async function runToEnd(
  runner: Pick<Runner, 'run'>,
  text: Sequence,
  { most, pace, signal }: Pick<GenerateOptions, 'pace' | 'signal'> & { readonly most: number },
): Promise<void> {
  const batch: Part[] = []
  while (text.finished === undefined) {
    const guesses = text.guess(most - 1)
    if (guesses !== undefined) await guesses
    const isDecoding = text.isDecoding
    batch[0] = text.next(most)
    const startedAt = performance.now()
    const rows = await beside(runner.run(batch, signal), text)
    if (isDecoding) pace?.ran(batch[0].wanted, performance.now() - startedAt)
    const full = text.take(rows, 0)
    if (full !== undefined) await full
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

function textOf({ backend, cache, promptIds, jump = true, ...options }: GenerateOptions): Sequence {
  const isExact = backend.runner?.numerics.exactRows === true
  const start = { kv: cache, prompt: promptIds, before: cache.length }
  return makeText(backend, { ...options, jump: jump && isExact }, start)
}
