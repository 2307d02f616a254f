/**
 * Where the keys and values of scored texts are. Where texts share runs each has a cache of its own, and what many of them begin
 * with is computed once and forked. Elsewhere there is one cache, in which one question after another is computed: each keeps
 * what it has in common with the one before.
 */
import type { Backend } from '../backend/backend.ts'
import type { KvSequence } from '../backend/kv.ts'
import type { Scheduler } from '../scheduler/scheduler.ts'
import { HeldPrefix } from './held-prefix.ts'
import { type CacheSource, emptyCaches, KeptCache } from './kept-cache.ts'
import { runScore } from './score-job.ts'
import { Turns } from './turns.ts'

export interface ScoreCachesParts {
  readonly backend: Backend
  readonly scheduler: Scheduler
  readonly caches?: CacheSource | undefined
}

/** The caches of one question. */
export interface QuestionCaches {
  /** Of the prompt. */
  readonly prompt: KeptCache
  /** The prompt is computed: one that begins with it. */
  branch(): KeptCache
  close(): void
}

export class ScoreCaches {
  readonly #parts: ScoreCachesParts
  readonly #source: CacheSource
  /** By their ids, the one that was used last at the end. */
  readonly #prefixes = new Map<string, { readonly prefix: HeldPrefix; readonly isReady: Promise<void> }>()
  /** Where runs are not shared. */
  readonly #one: KeptCache
  readonly #turns = new Turns()

  constructor(parts: ScoreCachesParts) {
    this.#parts = parts
    // Nobody else begins with what was scored; what is held gives way as other caches do.
    this.#source = { ...emptyCaches(parts.backend), idle: parts.caches?.idle }
    this.#one = new KeptCache(parts.backend)
  }

  /**
   * Resolves when the question's turn has come, and what it begins with is computed.
   * @param shared how many of `ids` other questions begin with as well
   * @throws the signal's reason
   */
  async open(ids: Int32Array, shared: number, signal?: AbortSignal): Promise<QuestionCaches> {
    if (!this.#parts.scheduler.sharesRuns) return this.#openInTurn(signal)
    const { backend } = this.#parts
    const source = shared === 0 ? this.#source : await this.#prefix(ids.slice(0, shared))
    const prompt = new KeptCache(backend, source)
    const held = new HeldPrefix(source)
    const branches: KeptCache[] = []
    return {
      prompt,
      branch() {
        held.hold(prompt.cache as KvSequence | undefined)
        const branch = new KeptCache(backend, held)
        branches.push(branch)
        return branch
      },
      close() {
        for (const each of [...branches, prompt, held]) each.drop()
      },
    }
  }

  /** Lets go of everything. */
  dispose(): void {
    for (const { prefix } of this.#prefixes.values()) prefix.drop()
    this.#prefixes.clear()
    this.#one.drop()
  }

  async #openInTurn(signal: AbortSignal | undefined): Promise<QuestionCaches> {
    const turn = await this.#turns.enter(signal)
    if (turn === undefined) throw signal!.reason
    const { scheduler } = this.#parts
    try {
      scheduler.throwIfClosed()
    } catch (error) {
      turn.leave()
      throw error
    }
    return { prompt: this.#one, branch: () => this.#one, close: () => turn.leave() }
  }

  /** Computed by the first that asks; the others wait. What could not be computed is no prefix, and each computes its own. */
  async #prefix(ids: Int32Array): Promise<CacheSource> {
    const key = ids.join()
    let known = this.#prefixes.get(key)
    if (known === undefined) {
      const prefix = new HeldPrefix(this.#source)
      known = { prefix, isReady: this.#compute(prefix, ids).catch(() => undefined) }
    }
    this.#prefixes.delete(key)
    this.#prefixes.set(key, known)
    this.#forgetOldest()
    await known.isReady
    // It had to give way to running texts.
    if (!known.prefix.isHeld) this.#prefixes.delete(key)
    return known.prefix
  }

  async #compute(prefix: HeldPrefix, ids: Int32Array): Promise<void> {
    const { backend, scheduler } = this.#parts
    const kept = new KeptCache(backend, this.#source)
    try {
      await runScore(scheduler, { kept, ids, first: ids.length, io: {} })
      prefix.hold(kept.cache as KvSequence | undefined)
    } finally {
      kept.drop()
    }
  }

  #forgetOldest(): void {
    if (this.#prefixes.size <= MOST_PREFIXES) return
    const [key, { prefix, isReady }] = this.#prefixes.entries().next().value!
    this.#prefixes.delete(key)
    void isReady.then(() => prefix.drop())
  }
}

/** Questions that are asked again and again at the same time. */
const MOST_PREFIXES = 4
