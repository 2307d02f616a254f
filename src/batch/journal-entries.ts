/**
 * The lines of `OUT.journal`: what has been answered so far. A line is added after what it speaks of has been written, so that
 * a file which ends anywhere tells the truth up to its last whole line.
 */
import { closeSync, openSync, readSync } from 'node:fs'
import type { Piece } from './output-order.ts'

export type Settings = Readonly<Record<string, unknown>>

/** The first: what all answers depend on. */
interface BeginEntry {
  readonly spout_batch: 1
  readonly settings: Settings
}

/** … and the model that was loaded. */
interface ModelEntry {
  readonly model: Settings
}

/** The output of a record ends at this byte of the file; in order, so do those of all before it. */
interface AtEntry {
  readonly at: number
  readonly mark?: string
  readonly to: number
  /** It is an error, and begins here. */
  readonly from?: number
}

/** A record is finished before its turn. */
interface AheadEntry {
  readonly ahead: number
  readonly mark: string
  readonly text: string
  readonly failed?: true
}

/** Of a run that asks again: the output of this record is an error, and lies there in the old file. */
interface AgainEntry {
  readonly again: number
  readonly from: number
  readonly to: number
}

/** All is there. */
interface FinishedEntry {
  readonly finished: number
  readonly mark: string
  readonly to: number
  readonly failed: number
}

/** … and the whole that it was. */
interface AgainOfEntry {
  readonly again_of: number
  readonly mark: string
  readonly to: number
}

export type JournalEntry =
  | BeginEntry
  | ModelEntry
  | AtEntry
  | AheadEntry
  | AgainEntry
  | AgainOfEntry
  | FinishedEntry

/** What a whole output is. */
interface WholeOutput {
  readonly records: number
  /** Of the whole input. */
  readonly mark: string
  readonly to: number
}

/** The output of a record that is an error, in bytes of its file. */
export interface FailedRange {
  readonly place: number
  readonly from: number
  readonly to: number
}

export interface JournalState {
  readonly settings: Settings
  readonly model: Settings | undefined
  /** Every record before it is done. */
  readonly next: number
  /** Done beyond it, when order does not matter. */
  readonly done: ReadonlySet<number>
  /** Done beyond it, when it does. */
  readonly ahead: ReadonlyMap<number, Piece>
  /** What the input was, up to some records. */
  readonly marks: ReadonlyMap<number, string>
  /** Bytes of the output that count; `undefined` while there are none. */
  readonly to: number | undefined
  readonly failed: number
  readonly finished: WholeOutput | undefined
  readonly again: readonly FailedRange[]
  readonly againOf: WholeOutput | undefined
  /** Bytes of the journal that count. */
  readonly bytes: number
}

/**
 * What a journal tells, as far as the output bears it out.
 * @param options.size bytes of the output that are there
 * @returns `undefined` where there is none, or not even its first line
 */
export function readJournal(
  path: string,
  { size, ordered }: { readonly size: number; readonly ordered: boolean },
): JournalState | undefined {
  const reader = new StateReader(ordered)
  for (const { entry, end } of journalLines(path)) {
    if (('at' in entry || 'finished' in entry) && entry.to > size) break
    reader.read(entry, end)
  }
  return reader.state()
}

class StateReader {
  readonly #isOrdered: boolean
  readonly #done = new Set<number>()
  readonly #ahead = new Map<number, Piece>()
  readonly #marks = new Map<number, string>()
  readonly #again: FailedRange[] = []
  #settings: Settings | undefined
  #model: Settings | undefined
  #next = 0
  #to: number | undefined
  #failed = 0
  #finished: JournalState['finished']
  #againOf: WholeOutput | undefined
  #bytes = 0

  constructor(ordered: boolean) {
    this.#isOrdered = ordered
  }

  read(entry: JournalEntry, end: number): void {
    this.#bytes = end
    if ('spout_batch' in entry) this.#settings = entry.settings
    else if ('model' in entry) this.#model = entry.model
    else if ('ahead' in entry) this.#keep(entry)
    else if ('again' in entry) this.#again.push({ place: entry.again, from: entry.from, to: entry.to })
    else if ('at' in entry) this.#written(entry)
    else if ('again_of' in entry) this.#againOf = wholeOf(entry.again_of, entry)
    else if ('finished' in entry) this.#finished = wholeOf(entry.finished, entry)
  }

  #keep({ ahead: place, mark, text, failed }: AheadEntry): void {
    this.#ahead.set(place, { place, mark, text, failed: failed === true })
    this.#marks.set(place, mark)
  }

  #written({ at, mark, to, from }: AtEntry): void {
    this.#to = to
    if (from !== undefined) this.#failed++
    if (mark !== undefined) this.#marks.set(at, mark)
    if (this.#isOrdered) this.#reach(at + 1)
    else this.#done.add(at)
    while (this.#done.delete(this.#next)) this.#reach(this.#next + 1)
  }

  /** What lies before is of no more interest, but for the last mark. */
  #reach(next: number): void {
    for (let place = this.#next; place < next; place++) {
      this.#ahead.delete(place)
      if (place < next - 1) this.#marks.delete(place)
    }
    this.#marks.delete(this.#next - 1)
    this.#next = next
  }

  state(): JournalState | undefined {
    if (this.#settings === undefined) return undefined
    return {
      settings: this.#settings,
      model: this.#model,
      next: this.#next,
      done: this.#done,
      ahead: this.#ahead,
      marks: this.#marks,
      to: this.#to,
      failed: this.#failed,
      finished: this.#finished,
      again: this.#again,
      againOf: this.#againOf,
      bytes: this.#bytes,
    }
  }
}

function wholeOf(records: number, { mark, to }: AgainOfEntry | FinishedEntry): WholeOutput {
  return { records, mark, to }
}

const CHUNK = 1 << 16
const LF = 10

/** The whole lines of a journal, up to the first that is none. Nothing where there is no such file. */
export function* journalLines(
  path: string,
): Generator<{ readonly entry: JournalEntry; readonly text: string; readonly end: number }, void, void> {
  let file: number
  try {
    file = openSync(path, 'r')
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return
    throw cause
  }
  try {
    let held = Buffer.alloc(0)
    let end = 0
    for (;;) {
      const chunk = Buffer.alloc(CHUNK)
      const read = readSync(file, chunk)
      if (read === 0) return
      held = Buffer.concat([held, chunk.subarray(0, read)])
      let from = 0
      for (let lf = held.indexOf(LF); lf >= 0; lf = held.indexOf(LF, from)) {
        const text = held.toString('utf8', from, lf)
        const entry = parsed(text)
        if (entry === undefined) return
        end += lf + 1 - from
        from = lf + 1
        yield { entry, text, end }
      }
      held = held.subarray(from)
    }
  } finally {
    closeSync(file)
  }
}

function parsed(text: string): JournalEntry | undefined {
  try {
    const value = JSON.parse(text) as JournalEntry | null
    return typeof value === 'object' && value !== null ? value : undefined
  } catch {
    return undefined
  }
}
