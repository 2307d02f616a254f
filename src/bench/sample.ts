import { createHash } from 'node:crypto'
import type { Figures } from './figures.ts'
import type { Turn } from './schedule.ts'

/** One measurement, as it is kept and saved. */
export interface Sample {
  /** The arm that ran. */
  readonly arm: string
  /** The comparison it is of, by its arm, which of the two sides it is, and the number of the pair. */
  readonly of: string
  readonly side: Turn['side']
  readonly pair: number
  /** Milliseconds of each request; the n-th of both sides of a pair were neighbours. */
  readonly times: readonly number[]
  readonly figures: Figures
  /** Of the ids that came out. */
  readonly idsHash: string
  /** Share of the machine that others used while the pair was taken. */
  readonly foreignShare: number
  /** ISO 8601. */
  readonly at: string
}

/** One request, measured. */
export interface Measured {
  readonly figures: Figures
  readonly ids: readonly number[]
  /** Processor time of another process of ours. */
  readonly otherCpuMs: number
}

/** The first 16 digits of the SHA-256 of the ids as 32-bit little-endian integers. */
export function hashIds(ids: readonly number[]): string {
  const bytes = Buffer.alloc(4 * ids.length)
  for (const [i, id] of ids.entries()) bytes.writeInt32LE(id, 4 * i)
  return createHash('sha256').update(bytes).digest('hex').slice(0, 16)
}
