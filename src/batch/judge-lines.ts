/** Records that are judged, many at once, and told in their order: what filters, ranks and scores lines. */

import { setMaxListeners } from 'node:events'
import { SpoutError } from '../errors.ts'
import { judged } from '../openai/answer.ts'
import { RequestError } from '../openai/request-error.ts'
import { OutputOrder } from './output-order.ts'
import type { InputRecord } from './records.ts'
import { runWindow } from './window.ts'

export interface JudgedLine<T> {
  readonly record: InputRecord
  /** One of both. */
  readonly verdict?: T
  readonly error?: RequestError
}

interface LineWork<T> {
  readonly records: AsyncIterable<InputRecord>
  /** Records under way at once. */
  readonly parallel: number
  /** Aborts what is under way; what was told stays told. */
  readonly signal: AbortSignal
  /** Before the first is judged, and waited for by all: what it throws ends the work. */
  open(): Promise<void>
  /** What it throws is its line's fault, or ends the work where it would meet every other line too. */
  judge(record: InputRecord, signal: AbortSignal): Promise<T>
  /**
   * Told each line in the order of the input. A promise is waited for before more is begun; `false`: that is enough, and
   * nothing more is read or computed.
   */
  take(line: JudgedLine<T>): Promise<void> | boolean | undefined
  /** What any failure is, told as an error of ours. */
  readonly asSpoutError: (cause: unknown) => SpoutError
}

/** Records between the oldest that is not told and the youngest under way, for each that may run at once. */
const LAG = 8
/** It is no line's fault any more when so many in a row could not be computed. */
const MOST_FAILURES = 32

/** @returns false when the signal ended it. @throws what would meet every other line too */
export async function judgeLines<T>(work: LineWork<T>): Promise<boolean> {
  const run = new LineRun(work)
  await run.run()
  return !work.signal.aborted
}

class LineRun<T> {
  readonly #work: LineWork<T>
  readonly #stop = new AbortController()
  readonly #signal: AbortSignal
  readonly #order: OutputOrder
  /** Judged, and not told yet. */
  readonly #judged = new Map<number, JudgedLine<T>>()
  /** What ended the work: what fails after it only follows from it. */
  #end: { readonly cause: unknown } | undefined
  #failures = 0

  constructor(work: LineWork<T>) {
    this.#work = work
    this.#signal = AbortSignal.any([work.signal, this.#stop.signal])
    // Each line under way listens: more than ten are no leak.
    setMaxListeners(0, this.#signal)
    const write = ({ place }: { readonly place: number }): Promise<void> | undefined => this.#tell(place)
    this.#order = new OutputOrder({ write }, { ordered: true, next: 0, waiting: [] })
  }

  async run(): Promise<void> {
    const { parallel } = this.#work
    try {
      await runWindow(
        this.#records(),
        { parallel, lag: LAG * parallel },
        { run: (record, place) => this.#run(record, place), isFull: () => false },
      )
    } catch (error) {
      const { cause } = this.#end ?? { cause: error }
      if (cause !== ENOUGH && !this.#work.signal.aborted) throw cause
    }
  }

  #stopWith(cause: unknown): void {
    this.#end ??= { cause }
    this.#stop.abort(cause)
  }

  async *#records(): AsyncGenerator<readonly [number, InputRecord], void, void> {
    for await (const record of this.#work.records) {
      if (this.#signal.aborted) return
      yield [record.index, record]
    }
  }

  async #run(record: InputRecord, place: number): Promise<void> {
    const line = await this.#judge(record)
    if (this.#signal.aborted) return
    this.#judged.set(place, line)
    try {
      await this.#order.take({ place, mark: '', text: record.raw, failed: line.error !== undefined })
    } catch (cause) {
      this.#stopWith(cause)
      throw cause
    }
  }

  async #judge(record: InputRecord): Promise<JudgedLine<T>> {
    if (record.error !== undefined) return { record, error: record.error }
    await this.#open()
    try {
      return { record, verdict: await this.#work.judge(record, this.#signal) }
    } catch (cause) {
      const error = this.#signal.aborted ? undefined : this.#lineError(cause)
      if (error !== undefined) return { record, error }
      if (!this.#signal.aborted) this.#stopWith(cause)
      throw cause
    }
  }

  async #open(): Promise<void> {
    try {
      await this.#work.open()
    } catch (cause) {
      this.#stopWith(cause)
      throw cause
    }
  }

  /** `undefined` of what would meet every other line, too. */
  #lineError(cause: unknown): RequestError | undefined {
    const error = cause instanceof RequestError ? cause : judged(this.#work.asSpoutError(cause))
    return error instanceof RequestError ? error : undefined
  }

  #tell(place: number): Promise<void> | undefined {
    const line = this.#judged.get(place)!
    this.#judged.delete(place)
    this.#count(line)
    const taken = this.#work.take(line)
    if (taken === false) throw ENOUGH
    return typeof taken === 'object' ? taken : undefined
  }

  #count({ record, error }: JudgedLine<T>): void {
    this.#failures = error?.code === 'failed' ? this.#failures + 1 : 0
    if (this.#failures < MOST_FAILURES) return
    const last = `line ${record.line}: ${error!.message}`
    throw new SpoutError('failed', `${MOST_FAILURES} lines failed one after another; the last: ${last}`)
  }
}

/** What ends the work when whoever asked has what was wanted. */
const ENOUGH = new Error('enough')
