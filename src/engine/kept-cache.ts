/**
 * The KV cache of one text after another. The longest common prefix of what it holds and the next text's ids is reused, and
 * only the ids after it are run.
 *
 * Where decoding rounds otherwise than prefill, only ids that went in as a prompt are reused.
 */
import type { Backend, KvCache } from '../backend/backend.ts'
import { commonLength } from './encode-prompt.ts'

export class KeptCache {
  readonly #backend: Backend
  #cache: KvCache | undefined
  /** The ids the cache holds. */
  #held = new Int32Array(0)
  /** How many of them, from the first on, are as a prompt leaves them. */
  #settled = 0

  constructor(backend: Backend) {
    this.#backend = backend
  }

  get cache(): KvCache | undefined {
    return this.#cache
  }

  /** Ids that it holds. */
  get length(): number {
    return this.#held.length
  }

  /** Brings it to the common beginning of `ids` and what it holds; the length is always less than all. */
  keep(ids: Int32Array, expectedTokens: number): KvCache {
    return this.cutTo(Math.max(0, Math.min(this.shared(ids), ids.length - this.rest)), expectedTokens)
  }

  /** Ids that are run in any case: one for its logits, and two where they must run as a prompt does (see pieces.ts). */
  get rest(): number {
    return this.#backend.runner?.numerics.exactRows ? 1 : 2
  }

  /** How many of `ids` it holds as a run over all of them would leave them. */
  shared(ids: Int32Array): number {
    // Where the split of a text over runs changes the logits, only a whole new run gives what a fresh one would.
    return this.#backend.exactSplits ? Math.min(commonLength(this.#held, ids), this.#settled) : 0
  }

  /** Cuts the cache to `length`, or makes another where that cannot be done. */
  cutTo(length: number, expectedTokens: number): KvCache {
    this.#cache?.trim(length)
    if (this.#cache !== undefined && this.#cache.length !== length) this.drop()
    this.#cache ??= this.#backend.createCache(expectedTokens)
    return this.#cache
  }

  /** Notes what it holds after a run of `ids`, of which the first `prompted` were given as a prompt. */
  hold(ids: Int32Array, prompted: number): void {
    if (this.#cache === undefined) return
    this.#held = ids.slice(0, this.#cache.length)
    this.#settled = this.#held.length
    if (this.#backend.settles) this.#settled = Math.min(this.#settled, prompted < this.rest ? 0 : prompted)
  }

  drop(): void {
    this.#cache?.dispose()
    this.#cache = undefined
    this.#held = new Int32Array(0)
    this.#settled = 0
  }
}
