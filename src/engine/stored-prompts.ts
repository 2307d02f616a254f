/**
 * Pages that other processes left on disk. Before a text is begun, those of its beginning are brought into the tree of pages in
 * memory, where it finds them as it finds those of other texts; after it, what is new is handed to whoever writes it.
 */
import { type KvPool, PAGE, type Page } from '../backend/kv.ts'
import type { HandOver, HandOverOptions } from '../prefix-cache/hand-over.ts'
import type { PageKey } from '../prefix-cache/page-key.ts'
import type { PageStore } from '../prefix-cache/page-store.ts'
import type { Pin, PrefixTree } from '../prefix-cache/prefix-tree.ts'

interface StoredPromptsParts {
  readonly pool: KvPool
  readonly tree: PrefixTree
  /** Frees pages that no text uses. */
  readonly reclaim: (pages: number) => void
  /** Loads what reads the disk: only for texts that are long enough. `undefined`: there is no folder to be had. */
  readonly open: () => Promise<PageStore | undefined>
}

/** What was read of the beginning of a text. */
export interface FromDisk {
  readonly tokens: number
  readonly bytes: number
  readonly ms: number
}

export class StoredPrompts {
  readonly #parts: StoredPromptsParts
  #store: Promise<PageStore | undefined> | undefined
  /** The reading that began last. */
  #last: Promise<unknown> = Promise.resolve()

  constructor(parts: StoredPromptsParts) {
    this.#parts = parts
  }

  /** Brings what there is of `ids` and not in memory yet; of the last id the logits are wanted, so it is run in any case. */
  async bring(ids: Int32Array): Promise<FromDisk | undefined> {
    const known = ids.subarray(0, Math.max(0, ids.length - 1))
    if (this.#holds(known)) return undefined
    // One after another: of texts that begin alike, the first reads the disk.
    const brought = this.#last.then(() => this.#bring(known))
    this.#last = brought.catch(() => undefined)
    return brought
  }

  /** Memory has all of it that could be on disk. */
  #holds(known: Int32Array): boolean {
    return known.length < PAGE || this.#parts.tree.lengthOf(known) + PAGE > known.length
  }

  async #bring(known: Int32Array): Promise<FromDisk | undefined> {
    const { tree } = this.#parts
    if (this.#holds(known)) return undefined
    const startedAt = performance.now()
    const store = await this.#opened()
    if (store === undefined) return undefined
    const pin = tree.pin(known)
    try {
      const count = await this.#extend(pin, known, store)
      if (count === 0) return undefined
      const bytes = count * this.#parts.pool.pageBytes
      return { tokens: count * PAGE, bytes, ms: performance.now() - startedAt }
    } finally {
      pin.release()
    }
  }

  /** Hands over what memory holds of `ids` and the disk does not; `undefined` where that saves too little. @throws what the system says */
  async handOver(ids: Int32Array, options: HandOverOptions): Promise<HandOver | undefined> {
    const store = await this.#opened()
    if (store === undefined) return undefined
    const pin = this.#parts.tree.pin(ids)
    try {
      const { handOver } = await import('../prefix-cache/hand-over.ts')
      return handOver(store, { ids, pages: pin.pages }, options)
    } finally {
      pin.release()
    }
  }

  /** Where others can write, nothing is believed and nothing is left. */
  async #opened(): Promise<PageStore | undefined> {
    this.#store ??= this.#parts.open()
    const store = await this.#store
    return store?.isTrusted ? store : undefined
  }

  /** Adds page after page, as far as there are. @returns how many */
  async #extend(pin: Pin, ids: Int32Array, store: PageStore): Promise<number> {
    const pages = [...pin.pages]
    const known = pages.length
    let i = 0
    for (const key of store.keysOf(ids)) {
      if (i++ < known) continue
      const page = this.#load(key, store)
      if (page === undefined) break
      pages.push(page)
      pin.extend(ids.subarray(0, PAGE * pages.length), pages)
      page.release()
      // Texts that run meanwhile go on.
      await new Promise(setImmediate)
    }
    return pages.length - known
  }

  #load(key: PageKey, store: PageStore): Page | undefined {
    const { pool, reclaim } = this.#parts
    if (!store.has(key)) return undefined
    if (pool.freePages < LEAST_FREE) reclaim(LEAST_FREE)
    if (pool.freePages < LEAST_FREE) return undefined
    let isThere = false
    const page = pool.load((bytes) => {
      isThere = store.read(key, bytes)
    })
    if (isThere) return page
    page.release()
    return undefined
  }
}

/** One for the page, and one for what follows it. */
const LEAST_FREE = 2
