/**
 * The models that are served, by name. One is loaded when it is asked for, and stays; where there is no room for another, the
 * one that was not used for longest goes, once nobody uses it.
 */
import type { Engine } from '../engine/engine.ts'
import { ApiError, closing } from './api-error.ts'

export interface ServedModel {
  /** As requests name it. */
  readonly name: string
  /** @throws SpoutError of what prevents it */
  readonly open: () => Promise<Engine>
  /** Whether there is memory for it now, beside what is loaded. Absent: there is. */
  readonly fits?: () => boolean
}

/** A model in use. Whoever took it calls `release`. */
export interface Lease {
  readonly name: string
  readonly engine: Engine
  release(): void
}

interface Loaded {
  readonly name: string
  readonly engine: Promise<Engine>
  /** Requests that use it. */
  users: number
  usedAt: number
}

export class Shelf {
  /** The first answers requests that name none. */
  readonly models: readonly ServedModel[]
  readonly #keep: number
  readonly #loaded = new Map<string, Loaded>()
  readonly #waiting = new Set<() => void>()
  /** Models that are being disposed: they still take room. */
  #leaving = 0
  /** Uses and loads that have ended, so far. */
  #changes = 0
  #clock = 0
  #isClosed = false
  /** Models that were loaded, and that had to go. */
  readonly counts = { loaded: 0, evicted: 0 }

  /** @param keep models that may be loaded at once */
  constructor(models: readonly ServedModel[], keep: number) {
    this.models = models
    this.#keep = keep
  }

  /** Engines that are there now, for what they tell of themselves. */
  async engines(): Promise<Engine[]> {
    const all = await Promise.allSettled([...this.#loaded.values()].map(({ engine }) => engine))
    return all.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []))
  }

  /** Without a name the first. @throws ApiError 404 */
  find(name: string | undefined): ServedModel {
    const found = name === undefined ? this.models[0] : this.models.find((each) => each.name === name)
    if (found !== undefined) return found
    throw new ApiError(
      404,
      `model: ${JSON.stringify(name)} is not served here; GET /v1/models lists those that are`,
      {
        code: 'model_not_found',
        param: 'model',
      },
    )
  }

  /** @throws the signal's reason while it waits for room; what `open` throws */
  async lease({ name, open, fits }: ServedModel, signal: AbortSignal): Promise<Lease> {
    for (;;) {
      if (this.#isClosed) throw closing()
      signal.throwIfAborted()
      const known = this.#loaded.get(name)
      if (known !== undefined) return this.#use(known)
      const seen = this.#changes
      // Meanwhile another may have loaded it, or taken the room.
      if (!(await this.#makeRoom(fits))) await this.#changeSince(seen, signal)
      else if (!this.#loaded.has(name) && this.#taken < this.#keep) break
    }
    if (this.#isClosed) throw closing()
    this.counts.loaded++
    const loaded: Loaded = { name, engine: open(), users: 0, usedAt: 0 }
    this.#loaded.set(name, loaded)
    return this.#use(loaded)
  }

  /** Disposes all: what still runs is aborted. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#tell()
    const engines = [...this.#loaded.values()].map(async ({ engine }) => (await engine).dispose())
    await Promise.allSettled(engines)
  }

  async #use(loaded: Loaded): Promise<Lease> {
    loaded.users++
    let isReleased = false
    const release = (): void => {
      if (isReleased) return
      isReleased = true
      loaded.users--
      loaded.usedAt = ++this.#clock
      this.#tell()
    }
    try {
      return { name: loaded.name, engine: await loaded.engine, release }
    } catch (error) {
      // Whoever asks again tries again.
      if (this.#loaded.get(loaded.name) === loaded) this.#loaded.delete(loaded.name)
      release()
      throw error
    }
  }

  get #taken(): number {
    return this.#loaded.size + this.#leaving
  }

  /** True once one more may be loaded; false where all that are there are in use. */
  async #makeRoom(fits: ServedModel['fits']): Promise<boolean> {
    while (this.#taken >= this.#keep || (this.#taken > 0 && fits?.() === false)) {
      const idle = [...this.#loaded.values()].filter(({ users }) => users === 0)
      const [oldest] = idle.sort((a, b) => a.usedAt - b.usedAt)
      if (oldest === undefined) return false
      this.#loaded.delete(oldest.name)
      this.counts.evicted++
      this.#leaving++
      await oldest.engine.then((engine) => engine.dispose())
      this.#leaving--
      this.#tell()
    }
    return true
  }

  #changeSince(seen: number, signal: AbortSignal): Promise<void> {
    if (this.#changes !== seen || signal.aborted) return Promise.resolve()
    return new Promise((resolve) => {
      const done = (): void => {
        this.#waiting.delete(done)
        signal.removeEventListener('abort', done)
        resolve()
      }
      this.#waiting.add(done)
      signal.addEventListener('abort', done, { once: true })
    })
  }

  #tell(): void {
    this.#changes++
    for (const done of [...this.#waiting]) done()
  }
}
