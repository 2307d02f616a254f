/** Where the texts of a runner come from whose keys and values are in pages. */
import { afterDispose, SpoutError } from '../../../errors.ts'
import type { KvPool, KvSequence, Page, SequenceStart } from '../../kv.ts'
import { type PagePool, PoolPage } from './page-pool.ts'
import { PagedSequence } from './paged-sequence.ts'

export class PagedPool implements KvPool {
  readonly isPaged = true
  readonly pages: PagePool
  #isDisposed = false

  constructor(pages: PagePool) {
    this.pages = pages
  }

  get pageBytes(): number {
    return this.pages.pageBytes
  }

  get freePages(): number {
    return this.pages.freePages
  }

  limitTo(pages: number): void {
    this.pages.limitTo(pages)
  }

  open({ ids, pages = [] }: SequenceStart = {}): KvSequence {
    if (this.#isDisposed) throw afterDispose('backend')
    return new PagedSequence(this.pages, { ids, pages: pages.map(poolPage) })
  }

  load(fill: (bytes: readonly Uint8Array[]) => void): Page {
    if (this.#isDisposed) throw afterDispose('backend')
    const page = this.pages.take()
    try {
      fill(page.bytes)
    } catch (error) {
      page.release()
      throw error
    }
    return page
  }

  /** No run may be under way. */
  dispose(): void {
    if (!this.#isDisposed) this.pages.dispose()
    this.#isDisposed = true
  }
}

function poolPage(page: Page): PoolPage {
  if (page instanceof PoolPage) return page
  throw new SpoutError('internal', 'pool: a page of another one')
}
