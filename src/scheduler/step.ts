/** What one run is to hold: the parts of some texts, within what the runner takes. */
import type { Numerics, Part } from '../backend/backend.ts'
import type { Entry } from './job.ts'

export class Step {
  /** Whose parts they are, in the same order. */
  readonly entries: Entry[] = []
  readonly parts: Part[] = []
  readonly #limits: Pick<Numerics, 'mostRows' | 'mostWanted'>
  readonly #mostParts: number
  #room = 0
  #wanted = 0

  constructor(limits: Pick<Numerics, 'mostRows' | 'mostWanted'>, mostParts: number) {
    this.#limits = limits
    this.#mostParts = mostParts
    this.clear()
  }

  clear(): void {
    this.entries.length = 0
    this.parts.length = 0
    this.#room = this.#limits.mostRows
    this.#wanted = this.#limits.mostWanted
  }

  /** No more rows than these are added from now on. */
  limit(rows: number): void {
    this.#room = Math.min(this.#room, rows)
  }

  /** Rows that may be added. */
  get room(): number {
    return this.#room
  }

  /** Rows that may be added whose logits are wanted. */
  get wantedRoom(): number {
    return Math.min(this.#room, this.#wanted)
  }

  get isFull(): boolean {
    return this.#room <= 0 || this.#wanted <= 0 || this.entries.length >= this.#mostParts
  }

  get isEmpty(): boolean {
    return this.entries.length === 0
  }

  add(entry: Entry, part: Part): void {
    this.#room -= part.ids.length
    this.#wanted -= part.wanted
    this.entries.push(entry)
    this.parts.push(part)
  }
}
