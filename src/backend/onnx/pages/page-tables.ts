/** The inputs of our attention: the pages, and which rows of a run are of which sequence. Bound anew only where their sizes change. */
import { KV, PAGES, PARTS } from '../../../graph-passes/own-attention.ts'
import type { Session } from '../../../onnx-runtime/runtime.ts'
import { stableMemory } from '../../../system/stable-memory.ts'
import { pagesOf } from './page-list.ts'
import type { PagePool, PoolPage } from './page-pool.ts'

export class PageTables {
  readonly #session: Session
  readonly #pool: PagePool
  /** Two numbers a sequence: its rows, and the tokens before them. */
  #parts = new Int32Array(0)
  #pages = new Int32Array(0)
  #partCount = 0
  #pageCount = 0
  /** What is bound. */
  #bound = { parts: -1, committed: -1 }
  readonly #partDims: [number, number] = [0, 2]
  readonly #pageDims: [number] = [0]
  readonly #kvDims: [number, number]

  constructor(session: Session, pool: PagePool) {
    this.#session = session
    this.#pool = pool
    this.#kvDims = [0, pool.pageBytes]
  }

  /** Forgets the sequences of the last run. */
  clear(): void {
    this.#partCount = 0
    this.#pageCount = 0
  }

  /** A sequence of `rows` rows after `past` tokens, whose pages are there. */
  add(rows: number, past: number, pages: readonly PoolPage[]): void {
    const count = pagesOf(past + rows)
    this.#reserve(this.#partCount + 1, this.#pageCount + count)
    this.#parts[2 * this.#partCount] = rows
    this.#parts[2 * this.#partCount + 1] = past
    this.#partCount++
    for (let i = 0; i < count; i++) this.#pages[this.#pageCount++] = pages[i]!.index
  }

  bind(): void {
    const bound = this.#bound
    if (bound.parts !== this.#partCount) {
      bound.parts = this.#partDims[0] = this.#partCount
      this.#session.bindData(PARTS, 'int32', this.#parts, this.#partDims)
    }
    if (bound.committed === this.#pool.committed) return
    bound.committed = this.#kvDims[0] = this.#pool.committed
    this.#session.bindBytes(KV, this.#pool.address, this.#kvDims)
  }

  #reserve(parts: number, pages: number): void {
    if (2 * parts > this.#parts.length) {
      this.#parts = larger(this.#parts, 2 * parts)
      this.#bound.parts = -1
    }
    if (pages <= this.#pages.length) return
    this.#pages = larger(this.#pages, pages)
    // More than are used: the table need not be bound again when a text grows by a page.
    this.#pageDims[0] = this.#pages.length
    this.#session.bindData(PAGES, 'int32', this.#pages, this.#pageDims)
  }
}

const FIRST_ROOM = 64

function larger(table: Int32Array, needed: number): Int32Array<ArrayBuffer> {
  const made = new Int32Array(stableMemory(4 * Math.max(FIRST_ROOM, needed, 2 * table.length)))
  made.set(table)
  return made
}
