/** Caches of texts that begin alike: a new one begins with the pages that others have computed. */
import { type KvPool, type KvSequence, PAGE } from '../backend/kv.ts'
import type { PrefixTree } from '../prefix-cache/prefix-tree.ts'
import type { CacheSource, OpenCache } from './kept-cache.ts'

type Idle = NonNullable<CacheSource['idle']>

interface SharedCachesOptions {
  /** Whose texts they are for; those of nobody share among themselves. */
  readonly owner?: string
  readonly idle?: Idle
}

export class SharedCaches implements CacheSource {
  readonly idle: Idle
  readonly #pool: KvPool
  readonly #tree: PrefixTree
  readonly #owner: string

  constructor(pool: KvPool, tree: PrefixTree, { owner = '', idle = new Set() }: SharedCachesOptions = {}) {
    this.idle = idle
    this.#pool = pool
    this.#tree = tree
    this.#owner = owner
  }

  /** Over the same memory; a text begins with what this owner's texts begin with, and with nothing else. */
  ofOwner(owner: string): SharedCaches {
    return new SharedCaches(this.#pool, this.#tree, { owner, idle: this.idle })
  }

  lengthOf(ids: Int32Array): number {
    return this.#tree.lengthOf(ids, this.#owner)
  }

  /** Frees pages, as many if there are as many: those of texts that have ended, then those of texts that may go on. */
  reclaim(pages: number): void {
    const wanted = this.#pool.freePages + pages
    const isShort = (): boolean => this.#pool.freePages < wanted
    while (isShort() && this.#tree.reclaim(1) > 0);
    for (const holder of this.idle) {
      if (!isShort()) return
      holder.drop()
      while (isShort() && this.#tree.reclaim(1) > 0);
    }
  }

  open(ids: Int32Array, expected: number): OpenCache {
    const pin = this.#tree.pin(ids, this.#owner)
    const { pages } = pin
    const cache = this.#pool.open({ ids: ids.subarray(0, pages.length * PAGE), pages, expected })
    return {
      cache,
      share: (known) => pin.extend(known, pagesOf(cache, known)),
      close: () => {
        pin.release()
        cache.dispose()
      },
    }
  }
}

/** Its full pages, as far as they are of these ids. */
function pagesOf(cache: KvSequence, { length }: Int32Array): KvSequence['pages'] {
  return cache.pages.slice(0, Math.floor(length / PAGE))
}
