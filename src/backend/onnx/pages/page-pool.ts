/**
 * Memory for keys and values in pages. All pages lie in one range of addresses, of which more and more becomes memory, so that
 * growing copies nothing and a page is a number. A page is counted: it is free when its last holder lets go.
 */
import { totalmem } from 'node:os'
import { SpoutError } from '../../../errors.ts'
import { type Reserved, reserveMemory } from '../../../system/mapped-memory.ts'
import type { Page } from '../../kv.ts'

/** Pages that become memory at once, at most. */
const MOST_SLAB = 32
/** Of free pages so much stays memory; what is beyond goes back to the system. */
const KEPT_BYTES = 64e6

export class PagePool {
  readonly pageBytes: number
  /** Free pages are filled with what is no number: for tests, which would see it in their answers. */
  isPoisoned = false
  readonly #memory: Reserved
  readonly #most: number
  /** Pages that are memory, or were. */
  #committed = 0
  readonly #free: number[] = []
  #used = 0
  #limit = Number.POSITIVE_INFINITY
  #isDisposed = false

  /** @param pageBytes a multiple of the pages of the system */
  constructor(pageBytes: number, least = 1) {
    this.pageBytes = pageBytes
    const bytes = Math.max(least, Math.floor(totalmem() / pageBytes)) * pageBytes
    this.#memory = reserveMemory(bytes, least * pageBytes)
    this.#most = Math.floor(this.#memory.bytes / pageBytes)
  }

  get address(): bigint {
    return this.#memory.address
  }

  /** Those that a run may name: all before. */
  get committed(): number {
    return this.#committed
  }

  /** Pages that somebody holds. */
  get used(): number {
    return this.#used
  }

  get isDisposed(): boolean {
    return this.#isDisposed
  }

  get freePages(): number {
    return Math.max(0, this.#limit - this.#used)
  }

  limitTo(pages: number): void {
    this.#limit = pages
  }

  /** A page with one holder; what it holds is undefined. @throws SpoutError `os` where there are no more. */
  take(): PoolPage {
    if (this.#used >= Math.min(this.#limit, this.#most)) {
      throw new SpoutError('os', `keys and values: no memory for more than ${this.#used} pages`)
    }
    if (this.#free.length === 0) this.#grow()
    this.#used++
    return new PoolPage(this, this.#free.pop()!)
  }

  /** Called by a page whose last holder let go. */
  free(page: PoolPage): void {
    this.#used--
    if (this.#isDisposed) return
    this.#free.push(page.index)
    if (this.isPoisoned) page.bytes[0].fill(0xff)
    else if (this.#free.length * this.pageBytes > KEPT_BYTES) {
      this.#memory.forget(page.index * this.pageBytes, this.pageBytes)
    }
  }

  /** The bytes of a page, until the pool is disposed. */
  view(index: number): Uint8Array {
    if (this.#isDisposed) throw new SpoutError('internal', 'pages: they are gone')
    return this.#memory.view(index * this.pageBytes, this.pageBytes)
  }

  /** No run may be under way. Pages that are held are gone. */
  dispose(): void {
    this.#isDisposed = true
    this.#memory.release()
  }

  /** Few pages at first: where memory is scarce, what is not used is not asked for. */
  #grow(): void {
    const first = this.#committed
    const count = Math.min(Math.max(1, first), MOST_SLAB, this.#most - first)
    this.#memory.commit(first * this.pageBytes, count * this.pageBytes)
    this.#committed = first + count
    for (let i = this.#committed - 1; i >= first; i--) {
      this.#free.push(i)
      if (this.isPoisoned) this.view(i).fill(0xff)
    }
  }
}

export class PoolPage implements Page {
  readonly index: number
  readonly #pool: PagePool
  #holders = 1
  #bytes: readonly [Uint8Array] | undefined

  constructor(pool: PagePool, index: number) {
    this.#pool = pool
    this.index = index
  }

  get bytes(): readonly [Uint8Array] {
    // Memory that is gone must not be read: the process would end.
    if (this.#bytes === undefined || this.#pool.isDisposed) this.#bytes = [this.#pool.view(this.index)]
    return this.#bytes
  }

  /** More than one holds it: nobody may write it. */
  get isShared(): boolean {
    return this.#holders > 1
  }

  retain(): void {
    if (this.#holders === 0) throw new SpoutError('internal', 'page: it is free')
    this.#holders++
  }

  release(): void {
    if (this.#holders === 0) throw new SpoutError('internal', 'page: it was freed')
    this.#holders--
    if (this.#holders === 0) this.#pool.free(this)
  }
}
