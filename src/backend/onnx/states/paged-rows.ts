/** Keys and values of attention of ours, in pages, in a graph with other states beside: of one text at a time. */
import { PageList } from '../pages/page-list.ts'
import type { PagePool } from '../pages/page-pool.ts'
import type { PageTables } from '../pages/page-tables.ts'
import type { StateGroup } from './state-group.ts'

/** The pages of a runner, and the inputs that tell its session of them. */
export interface Paging {
  readonly pool: PagePool
  readonly tables: PageTables
}

export class PagedRows implements StateGroup {
  readonly canTrim = true
  readonly #tables: PageTables
  readonly #list: PageList

  constructor({ pool, tables }: Paging) {
    this.#tables = tables
    this.#list = new PageList(pool)
  }

  bind(held: number, count: number): void {
    this.#list.reserve(held, count)
    this.#tables.clear()
    this.#tables.add(count, held, this.#list.pages)
    this.#tables.bind()
  }

  commit(): void {}

  clear(): void {
    this.#list.trim(0)
  }

  mark(): void {}

  restore(): void {}

  dispose(): void {
    this.clear()
  }
}
