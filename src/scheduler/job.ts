/** A text that wants to be written, or read, and its way through the scheduler. */
import type { Part, Rows } from '../backend/backend.ts'
import type { FinishReason } from '../generation/stop-criteria.ts'

/** What is run of a text, and what is done with what comes of it: ids are chosen, or only rows read. */
export interface Text {
  finished: FinishReason | undefined
  /** Ids that are known. */
  readonly length: number
  /** All known ids but the last are computed, and one is to be chosen. */
  readonly isDecoding: boolean
  /**
   * What is to be run next. Valid until the next call.
   * @param most of ids
   * @param wanted of rows of logits; while it is decoded, of those beside the first
   */
  next(most: number, wanted: number): Part
  /** Takes the rows of that part, from row `from` on. @returns a promise when its reader is slow */
  take(rows: Rows, from: number): Promise<void> | undefined
  /** Finds guesses that take runs of another model, at most so many. `undefined`: there is nothing to wait for. */
  guess?(most: number): Promise<void> | undefined
  /** For the time while the model computes. */
  foresee(): void
  /** The rows will be gone. */
  letRowsGo(): void
}

export interface Job {
  /** Ids that are known: their keys and values must fit before it is begun. */
  readonly tokens: number
  /** Ends it, also while it waits. */
  readonly signal?: AbortSignal | undefined
  /** Its turn has come, for the first time or after `setBack`: a sequence in a cache. What it throws ends this text only. */
  open(): Text
  /** Memory is short, and this is the youngest text: gives its cache back. What it held is computed again, after `open`. */
  setBack(): void
  /** Its text has ended, whatever ended it: nothing of its cache is run any more. Only after `open`. */
  close(): void
}

/** A job that was handed in: waits, then runs until its text has finished. */
export class Entry {
  readonly job: Job
  /** The smaller, the earlier it came. */
  readonly order: number
  readonly ended: Promise<void>
  /** Absent until it is begun for the first time. */
  text: Text | undefined
  /** In a cache; otherwise it waits. */
  isOpen = false
  /** Its reader is slow: nothing of it is run. */
  isParked = false
  isAborted = false
  /** What failed while a run had a part of it. */
  failure: { readonly error: unknown } | undefined
  hasEnded = false
  #resolve!: () => void
  #reject!: (error: unknown) => void
  #unlisten: (() => void) | undefined

  constructor(job: Job, order: number) {
    this.job = job
    this.order = order
    this.ended = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
  }

  /** Ids that have to be in its cache before an id can be chosen. */
  get tokens(): number {
    return this.text?.length ?? this.job.tokens
  }

  listen(abort: () => void): void {
    const { signal } = this.job
    if (signal === undefined) return
    signal.addEventListener('abort', abort, { once: true })
    this.#unlisten = () => signal.removeEventListener('abort', abort)
  }

  /** @param failure what ended it, where it did not finish: not for a text that was aborted */
  end(failure?: { readonly error: unknown }): void {
    if (this.hasEnded) return
    this.hasEnded = true
    this.#unlisten?.()
    if (failure !== undefined) {
      this.#reject(failure.error)
      return
    }
    if (this.text !== undefined) this.text.finished ??= 'aborted'
    this.#resolve()
  }
}
