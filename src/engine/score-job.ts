/** Ids whose rows are read, as a text for the scheduler. */
import { SpoutError } from '../errors.ts'
import type { Job } from '../scheduler/job.ts'
import type { Scheduler } from '../scheduler/scheduler.ts'
import { ScoredText } from '../scoring/scored-text.ts'
import type { KeptCache } from './kept-cache.ts'
import type { ScoreIo } from './score-request.ts'

export interface ScoreJobParts {
  readonly kept: KeptCache
  readonly ids: Int32Array
  /** The first id whose row is read; `ids.length`: none. */
  readonly first: number
  readonly read?: ((row: Float32Array, index: number) => void) | undefined
  readonly io: ScoreIo
}

class ScoreJob implements Job {
  readonly #parts: ScoreJobParts
  readonly #text: ScoredText
  /** Ids that were computed before; `undefined` before it is begun. */
  held: number | undefined

  constructor(parts: ScoreJobParts) {
    const { ids, first, read = () => undefined } = parts
    this.#parts = parts
    this.#text = new ScoredText({ ids, first, read })
  }

  get tokens(): number {
    return this.#parts.kept.missing(this.#parts.ids)
  }

  get isDone(): boolean {
    return this.#text.finished === 'stop'
  }

  get signal(): AbortSignal | undefined {
    return this.#parts.io.signal
  }

  open(): ScoredText {
    const { kept, ids } = this.#parts
    // Whose row is read is run, whatever the cache holds.
    const known = ids.subarray(0, this.#text.due + kept.rest)
    const cache = kept.keep(known, ids.length)
    this.held ??= cache.length
    this.#text.moveTo(cache)
    return this.#text
  }

  setBack(): void {
    this.#parts.kept.drop()
  }

  close(): void {
    const { kept, ids } = this.#parts
    kept.hold(ids, ids.length)
  }
}

/** @returns how many of the ids were computed before. @throws what the run threw; the reason of what ended it before */
export async function runScore(scheduler: Scheduler, parts: ScoreJobParts): Promise<number> {
  const job = new ScoreJob(parts)
  await scheduler.run(job)
  if (!job.isDone) {
    parts.io.signal?.throwIfAborted()
    scheduler.throwIfClosed()
    throw new SpoutError('internal', 'score: it ended before it was done')
  }
  return job.held ?? 0
}
