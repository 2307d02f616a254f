/** The pages of one text, in its order. Only a last page that is not full, and that nobody else holds, is written. */
import { PAGE } from '../../kv.ts'
import type { PagePool, PoolPage } from './page-pool.ts'

export class PageList {
  readonly pages: PoolPage[]
  readonly #pool: PagePool

  /** @param pages that the list becomes one more holder of */
  constructor(pool: PagePool, pages: readonly PoolPage[] = []) {
    this.#pool = pool
    this.pages = [...pages]
    for (const page of pages) page.retain()
  }

  /** Pages for `count` tokens after `held`. When it throws, all is as it was. @throws SpoutError `os` */
  reserve(held: number, count: number): void {
    const { pages } = this
    const [first, end] = [Math.floor(held / PAGE), pagesOf(held + count)]
    const before = pages.length
    const last = pages[first]
    let copied: PoolPage | undefined
    try {
      if (last?.isShared === true && end > first) copied = copyOf(last, this.#pool.take())
      while (pages.length < end) pages.push(this.#pool.take())
    } catch (error) {
      for (const page of pages.splice(before)) page.release()
      copied?.release()
      throw error
    }
    if (copied === undefined) return
    pages[first] = copied
    last!.release()
  }

  /** Lets go of what is behind the first `length` tokens. */
  trim(length: number): void {
    const kept = pagesOf(length)
    while (this.pages.length > kept) this.pages.pop()!.release()
  }
}

/** Of so many tokens. */
export const pagesOf = (tokens: number): number => Math.ceil(tokens / PAGE)

function copyOf(page: PoolPage, to: PoolPage): PoolPage {
  to.bytes[0].set(page.bytes[0])
  return to
}
