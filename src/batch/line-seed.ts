/**
 * The seed of a line: from the seed of the run and what the line asks, and from nothing else. So an answer is the same in any
 * order, in any shard, after any resume, and beside any other line; and who asks the same twice gets the same answer.
 */
import { createHash } from 'node:crypto'
import type { GenerateRequest } from '../engine/request.ts'

interface LineSeedOptions {
  readonly runSeed: bigint
  /** Of the record: makes the seeds of equal lines differ. */
  readonly index?: number | undefined
}

/** The first 64 bits of a SHA-256. */
export function lineSeed(request: GenerateRequest, { runSeed, index }: LineSeedOptions): bigint {
  const { messages, raw, templateArgs } = request
  const asked = JSON.stringify(['spout batch 1', String(runSeed), index ?? null, messages, raw, templateArgs])
  return createHash('sha256').update(asked).digest().readBigUInt64BE()
}
