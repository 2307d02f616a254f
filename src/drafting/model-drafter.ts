/**
 * Guesses what a smaller model would write. As many ids as pay: what its step and a row more cost is measured, and so is how often its
 * guess is right. Where none pays, one is tried now and then.
 */
import type { KvSequence } from '../backend/kv.ts'
import type { DraftModel } from './draft-model.ts'
import type { Drafter } from './drafter.ts'
import type { StepCosts } from './step-costs.ts'

export interface ModelDrafterOptions {
  readonly model: DraftModel
  readonly costs: StepCosts
  /** `auto`: as many as pay; else always so many. */
  readonly length: number | 'auto'
  /** The model failed, and is not asked any more. */
  readonly onFailure: (error: unknown) => void
}

export class ModelDrafter implements Drafter {
  readonly #options: ModelDrafterOptions
  #sequence: KvSequence | undefined
  #ids = new Int32Array(FIRST_ROOM)
  #length = 0
  /** So many ids of the cache are those of the text. */
  #agreed = 0
  readonly #guesses = new Int32Array(MOST)
  #count = 0
  /** Guesses that the text has followed so far; -1 once it has not. */
  #followed = 0
  #hits = PRIOR * PRIOR_WEIGHT
  #tries = PRIOR_WEIGHT
  #pause = 0
  #wait = 0
  #isRunning = false
  #isOver = false

  constructor(options: ModelDrafterOptions) {
    this.#options = options
  }

  accept(id: number): void {
    if (this.#length === this.#ids.length) {
      const larger = new Int32Array(2 * this.#length)
      larger.set(this.#ids)
      this.#ids = larger
    }
    this.#ids[this.#length++] = id
    // Whatever follows an id that the model has not, it cannot guess.
    if (!this.#options.model.has(id)) this.#isOver = true
    if (this.#followed < 0 || this.#followed >= this.#count) return
    const isHit = this.#guesses[this.#followed] === id
    this.#judged(isHit)
    this.#followed = isHit ? this.#followed + 1 : -1
  }

  /** @returns once guesses are there, or none can be had; `undefined` where none pays */
  prepare(most: number): Promise<void> | undefined {
    this.#count = 0
    this.#followed = 0
    if (this.#isOver || this.#length === 0) return undefined
    const room = this.#options.model.contextLength - this.#length
    const count = this.#worth(Math.min(most, MOST, room))
    if (count <= 0) return undefined
    this.#isRunning = true
    return this.#guess(count)
  }

  propose(into: Int32Array, most: number): number {
    const count = Math.min(this.#count, most)
    into.set(this.#guesses.subarray(0, count))
    return count
  }

  dispose(): void {
    this.#isOver = true
    if (this.#isRunning) return
    this.#sequence?.dispose()
    this.#sequence = undefined
  }

  async #guess(count: number): Promise<void> {
    try {
      let id = await this.#catchUp()
      while (id !== undefined) {
        this.#guesses[this.#count++] = id
        if (this.#count >= count) break
        id = await this.#read(Int32Array.of(id))
      }
    } catch (error) {
      if (!this.#isOver) this.#options.onFailure(error)
      this.#isOver = true
    }
    this.#isRunning = false
    if (this.#isOver) this.dispose()
  }

  /** Runs what the cache has not, and takes back what it has of guesses that were wrong. */
  #catchUp(): Promise<number | undefined> {
    this.#sequence ??= this.#options.model.open()
    const { ids } = this.#sequence
    const most = Math.min(ids.length, this.#length - 1)
    while (this.#agreed < most && ids[this.#agreed] === this.#ids[this.#agreed]) this.#agreed++
    this.#agreed = Math.min(this.#agreed, most)
    this.#sequence.trim(this.#agreed)
    return this.#read(this.#ids.slice(this.#agreed, this.#length))
  }

  #read(ids: Int32Array): Promise<number | undefined> {
    return this.#options.model.read(this.#sequence!, ids, () => this.#isOver)
  }

  /** The number of guesses with the most ids per time. */
  #worth(most: number): number {
    const { costs, length, model } = this.#options
    if (length !== 'auto') return Math.min(most, length)
    if (this.#wait > 0) {
      this.#wait--
      return 0
    }
    const step = costs.oneMs === 0 ? 0 : model.stepMs / costs.oneMs
    const chance = this.#hits / this.#tries
    let [best, bestRate, ids, all] = [0, 1, 1, 1]
    for (let count = 1; count <= most; count++) {
      all *= chance
      ids += all
      const rate = ids / (costs.of(1 + count) + count * step)
      if (rate > bestRate) [best, bestRate] = [count, rate]
    }
    if (best > 0) {
      this.#pause = 0
      return best
    }
    // Another part of the text may be easier to guess.
    this.#pause = Math.min(LONGEST_PAUSE, 2 * this.#pause + FIRST_PAUSE)
    this.#wait = this.#pause
    return Math.min(1, most)
  }

  #judged(isHit: boolean): void {
    this.#tries++
    if (isHit) this.#hits++
    if (this.#tries < MEMORY) return
    this.#tries /= 2
    this.#hits /= 2
  }
}

const MOST = 16
const FIRST_ROOM = 256
/** How often a guess is right before anything is known of a text, and what that counts, in guesses. */
const PRIOR = 0.7
const PRIOR_WEIGHT = 4
/** Older guesses count half after so many. */
const MEMORY = 64
/** Steps without a guess. */
const FIRST_PAUSE = 16
const LONGEST_PAUSE = 256
