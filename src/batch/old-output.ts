/** `--retry-errors`: an output that is whole, and is written anew with other answers in the place of its errors. */
import { closeSync, openSync } from 'node:fs'
import type { FailedRange, JournalState } from './journal-entries.ts'
import type { FilePlace, JournalFiles } from './journal-files.ts'

export class OldOutput {
  readonly #file: number
  readonly #whole: NonNullable<JournalState['againOf']>
  /** In the order of the file. */
  readonly #failed: readonly FailedRange[]
  readonly #places: ReadonlySet<number>
  #at = 0

  constructor({ path }: FilePlace, { again, againOf }: JournalState) {
    this.#file = openSync(path, 'r')
    this.#whole = againOf!
    this.#failed = again
    this.#places = new Set(again.map(({ place }) => place))
  }

  /** The first that is asked again. */
  get first(): number {
    return this.#failed[0]?.place ?? this.#whole.records
  }

  keeps(place: number): boolean {
    return place < this.#whole.records && !this.#places.has(place)
  }

  /** What need not be asked again: all of it where order does not matter, else what lies before the first. */
  copyBeginning(files: JournalFiles, ordered: boolean): void {
    let from = 0
    for (const { from: to, to: next } of ordered ? this.#failed.slice(0, 1) : this.#failed) {
      files.copy(this.#file, from, to)
      from = next
    }
    if (!ordered) files.copy(this.#file, from, this.#whole.to)
  }

  /** What lies between a record that was asked again and the next: copies it, and gives the place after it. */
  copyAfter(place: number, files: JournalFiles): number | undefined {
    while ((this.#failed[this.#at]?.place ?? Number.POSITIVE_INFINITY) < place) this.#at++
    const asked = this.#failed[this.#at]
    if (asked?.place !== place) return undefined
    const next = this.#failed[++this.#at] ?? { place: this.#whole.records, from: this.#whole.to }
    if (next.place === place + 1) return undefined
    files.copy(this.#file, asked.to, next.from)
    return next.place
  }

  close(): void {
    closeSync(this.#file)
  }
}
