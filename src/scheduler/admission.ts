/**
 * Who may have memory for keys and values. It is counted in pages; what nobody writes any more (a prefix cache) gives way
 * first, then the youngest text: what it held is computed again, which is exact where rows are.
 */
import { type KvPool, PAGE } from '../backend/kv.ts'

export interface Memory {
  readonly pool: Pick<KvPool, 'freePages'>
  /** Frees pages that no running text uses, at least so many if there are as many. */
  readonly reclaim?: ((pages: number) => void) | undefined
}

export class Admission {
  readonly #memory: Memory
  /** Pages that parts of this step will take. */
  #promised = 0

  constructor(memory: Memory) {
    this.#memory = memory
  }

  /** A step is planned: nothing is promised. */
  startStep(): void {
    this.#promised = 0
  }

  /** Promises the pages for `more` ids after the `length` that are held. False: they are not there. */
  promise(length: number, more: number): boolean {
    const pages = pagesOf(length + more) - pagesOf(length)
    if (!this.#has(pages)) return false
    this.#promised += pages
    return true
  }

  /** Whether a text of `tokens` ids may begin beside so many others, each of which may soon want one page more. */
  mayBegin(tokens: number, others: number): boolean {
    return this.#has(pagesOf(tokens + 1) + others)
  }

  /** A run wanted more than was promised: a page that is shared is copied when it is written. False: nobody gave any. */
  free(pages: number): boolean {
    const { pool, reclaim } = this.#memory
    const before = pool.freePages
    reclaim?.(pages)
    return pool.freePages > before
  }

  #has(pages: number): boolean {
    const { pool, reclaim } = this.#memory
    const needed = this.#promised + pages
    if (pool.freePages < needed) reclaim?.(needed - pool.freePages)
    return pool.freePages >= needed
  }
}

function pagesOf(tokens: number): number {
  return Math.ceil(tokens / PAGE)
}
