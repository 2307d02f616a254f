/**
 * A text of which nothing is chosen: its ids are run, and rows of logits behind some of them are read. For the scheduler it is
 * a prompt that goes in by pieces, so that many such texts share a run.
 */
import type { KvCache, Part, Rows } from '../backend/backend.ts'
import { pieceEnd } from '../backend/pieces.ts'
import type { FinishReason } from '../generation/stop-criteria.ts'

interface ScoredTextParts {
  readonly ids: Int32Array
  /** The first id whose row is wanted, and of all after it; `ids.length`: none. The row tells what comes after the id. */
  readonly first: number
  /** Told each row once, in order. The row may be overwritten when it returns. */
  readonly read: (row: Float32Array, index: number) => void
}

export class ScoredText {
  finished: FinishReason | undefined
  /** Nothing is chosen. */
  readonly isDecoding = false
  readonly #parts: ScoredTextParts
  readonly #part: { sequence: KvCache; ids: Int32Array; wanted: number }
  /** Ids that the cache holds. */
  #computed = 0
  /** The id whose row is read next. */
  #due: number

  constructor(parts: ScoredTextParts) {
    this.#parts = parts
    this.#due = parts.first
    this.#part = { sequence: undefined as unknown as KvCache, ids: parts.ids, wanted: 0 }
  }

  get length(): number {
    return this.#parts.ids.length
  }

  /** The id whose row is read next: what is before it may be taken from a cache. */
  get due(): number {
    return this.#due
  }

  /** Goes on in a cache that holds the first `length` ids, none of which is `due`. */
  moveTo(kv: KvCache): void {
    this.#part.sequence = kv
    this.#computed = kv.length
  }

  next(most: number, wanted: number): Part {
    const { ids } = this.#parts
    const part = this.#part
    const room = Math.min(most, Math.max(0, this.#due - this.#computed) + wanted)
    const end = pieceEnd(this.#computed, room, ids.length)
    part.ids = ids.subarray(this.#computed, end)
    part.wanted = Math.max(0, end - Math.max(this.#due, this.#computed))
    return part
  }

  take(rows: Rows, from: number): undefined {
    const { ids, wanted } = this.#part
    this.#computed += ids.length
    for (let i = 0; i < wanted; i++) this.#parts.read(rows.row(from + i), this.#due++)
    if (this.#computed === this.length) this.finished = 'stop'
  }

  /** There is nothing to find out before the rows are there. */
  foresee(): void {}

  /** They were read when they came. */
  letRowsGo(): void {}
}
