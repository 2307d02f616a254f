/**
 * Guesses that the text repeats itself: after the longest suffix that was there before comes what came then. Before the prompt
 * may stand the text that the answer will mostly be.
 *
 * How many ids are guessed follows from what is measured. How often such a guess is right is counted by the length of the
 * match, for every id and whether it was run or not, so that it costs nothing to know that guesses do not pay. A row more is
 * run while it raises the ids per time.
 */
import type { Drafter } from './drafter.ts'
import type { StepCosts } from './step-costs.ts'
import { SuffixAutomaton } from './suffix-automaton.ts'

export interface LookupOptions {
  /** `auto`: as many as pay; else always so many, where there is a match. */
  readonly length: number | 'auto'
  readonly costs: StepCosts
  /** What the answer will mostly be. */
  readonly expected?: Int32Array | undefined
  /** Ids that `accept` is told before the answer begins. */
  readonly promptLength: number
}

export class LookupDrafter implements Drafter {
  readonly #options: LookupOptions
  readonly #automaton = new SuffixAutomaton()
  #ids: Int32Array<ArrayBuffer>
  #length = 0
  /** Where the next id of the expected text stands, while the answer follows it: from its beginning, and again after a change. */
  #expectedAt: number
  readonly #hits = Float64Array.from(PRIORS, (prior) => prior * PRIOR_WEIGHT)
  readonly #tries = new Float64Array(PRIORS.length).fill(PRIOR_WEIGHT)

  constructor(options: LookupOptions) {
    const { expected, promptLength } = options
    this.#options = options
    this.#ids = new Int32Array(promptLength + (expected?.length ?? 0) + FIRST_ROOM)
    this.#expectedAt = -1
    if (expected === undefined || expected.length === 0) return
    for (const id of expected) this.#add(id)
    // An id that no text has.
    this.#push(-1)
    this.#automaton.separate()
    this.#expectedAt = 0
  }

  accept(id: number): void {
    const { expected, promptLength } = this.#options
    const own = this.#length - (expected === undefined || expected.length === 0 ? 0 : expected.length + 1)
    if (own >= promptLength) {
      const at = this.#place()
      if (at >= 0) this.#count(this.#matched, this.#ids[at] === id)
      if (this.#expectedAt >= 0) {
        const follows = expected![this.#expectedAt] === id
        this.#expectedAt = follows && this.#expectedAt + 1 < expected!.length ? this.#expectedAt + 1 : -1
      }
    }
    this.#add(id)
    if (own >= promptLength && this.#expectedAt < 0) this.#findExpected()
  }

  propose(into: Int32Array, most: number): number {
    const at = this.#place()
    if (at < 0) return 0
    const count = this.#options.length === 'auto' ? this.#worth(most) : Math.min(most, this.#options.length)
    for (let i = 0; i < count; i++) {
      // A text that repeats itself without end is followed into the guess.
      const id = at + i < this.#length ? this.#ids[at + i]! : into[at + i - this.#length]!
      if (id < 0) return i
      into[i] = id
    }
    return count
  }

  /** Where what may come next stands. -1: nowhere. */
  #place(): number {
    if (this.#expectedAt >= 0) return this.#expectedAt
    return this.#automaton.matched > 0 ? this.#automaton.follows : -1
  }

  get #matched(): number {
    return this.#expectedAt >= 0 ? EXPECTED : this.#automaton.matched
  }

  /** The answer is at a place of the expected text again. */
  #findExpected(): void {
    const { matched, follows } = this.#automaton
    const { expected } = this.#options
    if (matched >= FOUND_AGAIN && expected !== undefined && follows < expected.length)
      this.#expectedAt = follows
  }

  /** The number of guesses with the most ids per time. */
  #worth(most: number): number {
    const { costs } = this.#options
    const matched = this.#matched
    const { texts } = costs
    let [best, bestRate, ids, chance] = [0, texts / costs.of(texts), texts, 1]
    for (let count = 1; count <= most; count++) {
      const bucket = bucketOf(matched + count - 1)
      chance *= this.#hits[bucket]! / this.#tries[bucket]!
      ids += chance
      const rate = ids / costs.of(texts + count)
      if (rate > bestRate) [best, bestRate] = [count, rate]
    }
    return best
  }

  #count(matched: number, isHit: boolean): void {
    const bucket = bucketOf(matched)
    this.#tries[bucket]!++
    if (isHit) this.#hits[bucket]!++
    if (this.#tries[bucket]! < MEMORY) return
    this.#tries[bucket]! /= 2
    this.#hits[bucket]! /= 2
  }

  #add(id: number): void {
    this.#push(id)
    this.#automaton.add(id)
  }

  #push(id: number): void {
    if (this.#length === this.#ids.length) {
      const larger = new Int32Array(2 * this.#length)
      larger.set(this.#ids)
      this.#ids = larger
    }
    this.#ids[this.#length++] = id
  }
}

const FIRST_ROOM = 256
/** How often a guess is right after a match of 1, 2, 3 to 4, 5 to 8, 9 to 16 and more ids, before anything is known of a text. */
const PRIORS = [0.1, 0.2, 0.35, 0.5, 0.65, 0.8]
/** What they count, in guesses. */
const PRIOR_WEIGHT = 6
/** Older guesses count half after so many. */
const MEMORY = 64
/** A guess of the expected text counts as one after so long a match. */
const EXPECTED = 17
const FOUND_AGAIN = 2

function bucketOf(matched: number): number {
  return matched <= 2 ? matched - 1 : Math.min(PRIORS.length - 1, 33 - Math.clz32(matched - 1))
}
