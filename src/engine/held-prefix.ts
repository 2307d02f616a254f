/** A beginning that many texts have: what was computed of it stays, and each of them begins with a fork. */
import type { KvSequence } from '../backend/kv.ts'
import { alone, type CacheSource, type OpenCache } from './kept-cache.ts'

export class HeldPrefix implements CacheSource {
  readonly #caches: CacheSource
  #held: KvSequence | undefined

  /** @param caches what texts begin with while it holds nothing */
  constructor(caches: CacheSource) {
    this.#caches = caches
  }

  get idle(): CacheSource['idle'] {
    return this.#caches.idle
  }

  get isHeld(): boolean {
    return this.#held !== undefined
  }

  /** Keeps what `sequence` holds now. */
  hold(sequence: KvSequence | undefined): void {
    this.#held ??= sequence?.fork()
    if (this.isHeld) this.idle?.add(this)
  }

  /** @param ids of a text that begins with what is held */
  lengthOf(ids: Int32Array): number {
    return this.#held === undefined ? this.#caches.lengthOf(ids) : Math.min(this.#held.length, ids.length)
  }

  open(ids: Int32Array, expected: number): OpenCache {
    if (this.#held === undefined) return this.#caches.open(ids, expected)
    const cache = this.#held.fork()
    cache.trim(ids.length)
    return alone(cache)
  }

  /** Memory is short, or nobody needs it any more: whoever begins from now on computes it again. */
  drop(): void {
    this.idle?.delete(this)
    this.#held?.dispose()
    this.#held = undefined
  }
}
