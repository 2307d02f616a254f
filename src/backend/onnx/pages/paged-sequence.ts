/** A text whose keys and values are in pages: sharing, forgetting and growing copy nothing but a last page that two hold. */
import { SpoutError } from '../../../errors.ts'
import { type KvSequence, PAGE, type Page } from '../../kv.ts'
import { PageList, pagesOf } from './page-list.ts'
import type { PagePool, PoolPage } from './page-pool.ts'

interface PagedStart {
  readonly ids?: Int32Array | undefined
  readonly pages?: readonly PoolPage[]
  /** Tokens that the pages hold. */
  readonly held?: number
}

export class PagedSequence implements KvSequence {
  readonly canTrim = true
  readonly #pool: PagePool
  readonly #list: PageList
  /** The ids of the text; those before `#held` are computed. */
  #ids: Int32Array
  #length: number
  #held: number

  constructor(pool: PagePool, { ids = NO_IDS, pages = [], held = pages.length * PAGE }: PagedStart = {}) {
    if (held > ids.length) throw new SpoutError('internal', 'sequence: pages of more than its ids')
    this.#pool = pool
    this.#list = new PageList(pool, pages)
    this.#ids = ids.slice()
    this.#length = ids.length
    this.#held = held
  }

  get length(): number {
    return this.#length
  }

  get ids(): Int32Array {
    return this.#ids.subarray(0, this.#length)
  }

  get pages(): readonly Page[] {
    return this.#list.pages.slice(0, Math.floor(this.#held / PAGE))
  }

  /** Tokens that are computed: fewer than `length` only where the text began with ids that no page held. */
  get held(): number {
    return this.#held
  }

  /** Those that are computed, and room behind them. */
  get allPages(): readonly PoolPage[] {
    return this.#list.pages
  }

  fork(): PagedSequence {
    const pages = this.#list.pages.slice(0, pagesOf(this.#held))
    return new PagedSequence(this.#pool, { ids: this.ids, pages, held: this.#held })
  }

  trim(length: number): void {
    this.#length = Math.min(this.#length, Math.max(0, length))
    this.#held = Math.min(this.#held, this.#length)
    this.#list.trim(this.#held)
  }

  /** Nothing is lost here that could be kept. */
  mark(): void {}

  /** Ids that are to be run before others can be appended: none but of a text that began with ids. */
  get pending(): Int32Array {
    return this.#ids.subarray(this.#held, this.#length)
  }

  /** Makes room for `count` tokens after those that are computed. @throws SpoutError `os`; then all is as it was */
  reserve(count: number): void {
    this.#list.reserve(this.#held, count)
  }

  /** A run succeeded: so many of the pending ids are computed. */
  catchUp(count: number): void {
    this.#held += count
  }

  /** A run succeeded: `ids` are computed. */
  append(ids: Int32Array): void {
    const length = this.#length + ids.length
    if (length > this.#ids.length) this.#growIds(length)
    if (ids.length === 1) this.#ids[length - 1] = ids[0]!
    else this.#ids.set(ids, this.#length)
    this.#length = this.#held = length
  }

  dispose(): void {
    this.trim(0)
  }

  #growIds(needed: number): void {
    const larger = new Int32Array(Math.max(needed, 2 * this.#ids.length, 256))
    larger.set(this.#ids.subarray(0, this.#length))
    this.#ids = larger
  }
}

const NO_IDS = new Int32Array(0)
