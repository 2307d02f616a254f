/**
 * The KV cache of one text after another. The longest common prefix of what it holds and the next text's ids is reused, and
 * only the ids after it are run.
 *
 * Where decoding rounds otherwise than prefill, only ids that went in as a prompt are reused.
 */
import type { Backend, KvCache } from '../backend/backend.ts'
import { commonLength } from './encode-prompt.ts'

/** Where a cache comes from. It may hold the beginning of a text already, where somebody else computed it. */
export interface CacheSource {
  /** Those that nobody uses just now, the longest so first: they may be dropped when memory is short. */
  readonly idle?: Set<Droppable> | undefined
  /** How many of `ids`, from the first on, `open` finds. */
  lengthOf(ids: Int32Array): number
  /** A cache that holds what it finds of `ids`. @param expected tokens to come, these among them */
  open(ids: Int32Array, expected: number): OpenCache
}

interface Droppable {
  drop(): void
}

export interface OpenCache {
  readonly cache: KvCache
  /** It holds a beginning of `ids`, as a run over them leaves it: others may begin with it. */
  share(ids: Int32Array): void
  close(): void
}

export class KeptCache {
  readonly #backend: Backend
  readonly #source: CacheSource
  #open: OpenCache | undefined
  /** The ids the cache holds. */
  #held = new Int32Array(0)
  /** How many of them, from the first on, are as a prompt leaves them. */
  #settled = 0

  constructor(backend: Backend, source: CacheSource = emptyCaches(backend)) {
    this.#backend = backend
    this.#source = source
  }

  get cache(): KvCache | undefined {
    return this.#open?.cache
  }

  /** Ids that it holds. */
  get length(): number {
    return this.#held.length
  }

  /** Brings it to the longest beginning of `ids` that is known; that is never all of them. */
  keep(ids: Int32Array, expectedTokens: number): KvCache {
    const most = Math.max(0, ids.length - this.rest)
    const kept = Math.min(this.shared(ids), most)
    const wanted = ids.subarray(0, most)
    this.#cut(this.#source.lengthOf(wanted) > kept ? 0 : kept)
    this.#open ??= this.#source.open(wanted, expectedTokens)
    this.#source.idle?.delete(this)
    return this.#open.cache
  }

  /** How many of `ids` `keep` would not find. */
  missing(ids: Int32Array): number {
    return ids.length - Math.max(this.shared(ids), this.#source.lengthOf(ids))
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
    this.#cut(length)
    this.#open ??= this.#source.open(NO_IDS, expectedTokens)
    this.#source.idle?.delete(this)
    return this.#open.cache
  }

  /** Notes what it holds after a run of `ids`, of which the first `prompted` were given as a prompt. */
  hold(ids: Int32Array, prompted: number): void {
    if (this.#open === undefined) return
    this.#open.share(ids)
    this.#source.idle?.add(this)
    this.#held = ids.slice(0, this.#open.cache.length)
    this.#settled = this.#held.length
    if (this.#backend.settles) this.#settled = Math.min(this.#settled, prompted < this.rest ? 0 : prompted)
  }

  /** A part of `ids` has been run. */
  share(ids: Int32Array): void {
    this.#open?.share(ids)
  }

  #cut(length: number): void {
    this.cache?.trim(length)
    if (length === 0 || this.cache?.length !== length) this.drop()
  }

  drop(): void {
    this.#source.idle?.delete(this)
    this.#open?.close()
    this.#open = undefined
    this.#held = new Int32Array(0)
    this.#settled = 0
  }
}

/** Caches that hold nothing. */
export function emptyCaches(backend: Backend): CacheSource {
  return { lengthOf: () => 0, open: (_, expected) => alone(backend.createCache(expected)) }
}

/** A cache that nobody else begins with. */
export function alone(cache: KvCache): OpenCache {
  return { cache, share: () => undefined, close: () => cache.dispose() }
}

const NO_IDS = new Int32Array(0)
