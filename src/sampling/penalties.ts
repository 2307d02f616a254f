/**
 * Repetition, presence and frequency penalties over a window of the last ids. The window keeps each distinct id
 * once, with its counts, so that a step touches those logits and no others, and the order of ids never matters.
 *
 * The repetition penalty looks at every id of the window, prompt included, as transformers does. Presence and
 * frequency look at sampled ids only, as the API that named them does: a prompt full of commas forbids no comma.
 */
import type { LogitsProcessor } from './logits-processor.ts'

interface PenaltySettings {
  readonly repetitionPenalty: number
  readonly presencePenalty: number
  readonly frequencyPenalty: number
  /** Ids in the window; -1 is the whole context. */
  readonly repeatLastN: number
}

export class Penalties implements LogitsProcessor {
  readonly #repetition: number
  readonly #presence: number
  readonly #frequency: number
  /** Slot of each id in the three lists below, plus one; 0 for ids out of the window. */
  readonly #slots: Int32Array
  readonly #ids: Int32Array
  readonly #counts: Int32Array
  readonly #sampledCounts: Int32Array
  #size = 0
  /** The ids of the window in a circle, sampled ones as ~id; `undefined` when nothing ever leaves. */
  readonly #ring: Int32Array | undefined
  readonly #isExempt: ((id: number) => boolean) | undefined
  #next = 0
  #full = false

  /** @param isExempt ids that are never penalized; always the same ones */
  constructor(settings: PenaltySettings, vocabSize: number, isExempt?: (id: number) => boolean) {
    this.#isExempt = isExempt
    const { repeatLastN } = settings
    const capacity = repeatLastN < 0 ? vocabSize : Math.min(repeatLastN, vocabSize)
    this.#repetition = Math.fround(settings.repetitionPenalty)
    this.#presence = settings.presencePenalty
    this.#frequency = settings.frequencyPenalty
    this.#slots = new Int32Array(vocabSize)
    this.#ids = new Int32Array(capacity)
    this.#counts = new Int32Array(capacity)
    this.#sampledCounts = new Int32Array(capacity)
    this.#ring = repeatLastN < 0 ? undefined : new Int32Array(repeatLastN)
  }

  process(logits: Float32Array): void {
    const repetition = this.#repetition
    for (let slot = 0; slot < this.#size; slot++) {
      const id = this.#ids[slot]!
      const logit = logits[id]!
      const sampled = this.#sampledCounts[slot]!
      const penalized = Math.fround(logit < 0 ? logit * repetition : logit / repetition)
      logits[id] = sampled === 0 ? penalized : penalized - sampled * this.#frequency - this.#presence
    }
  }

  accept(id: number, sampled: boolean): void {
    if (this.#ring) this.#turn(this.#ring, sampled ? ~id : id)
    this.#enter(id, sampled)
  }

  /** Writes an id over the oldest one of a full circle. */
  #turn(ring: Int32Array, entry: number): void {
    const at = this.#next
    if (this.#full) this.#leave(ring[at]!)
    ring[at] = entry
    this.#next = at + 1 === ring.length ? 0 : at + 1
    if (this.#next === 0) this.#full = true
  }

  #enter(id: number, sampled: boolean): void {
    if (!this.#isCounted(id)) return
    if (this.#slots[id] === 0) this.#append(id)
    const slot = this.#slots[id]! - 1
    this.#counts[slot]! += 1
    if (sampled) this.#sampledCounts[slot]! += 1
  }

  #leave(entry: number): void {
    const id = entry < 0 ? ~entry : entry
    if (!this.#isCounted(id)) return
    const slot = this.#slots[id]! - 1
    if (entry < 0) this.#sampledCounts[slot]! -= 1
    this.#counts[slot]! -= 1
    if (this.#counts[slot] === 0) this.#remove(id, slot)
  }

  /** A tokenizer may know ids that the model has no logit for. */
  #isCounted(id: number): boolean {
    return id < this.#slots.length && this.#isExempt?.(id) !== true
  }

  #append(id: number): void {
    const slot = this.#size++
    this.#slots[id] = slot + 1
    this.#ids[slot] = id
    this.#counts[slot] = 0
    this.#sampledCounts[slot] = 0
  }

  /** Moves the last slot into the one that became free. */
  #remove(id: number, slot: number): void {
    const last = --this.#size
    const moved = this.#ids[last]!
    this.#ids[slot] = moved
    this.#counts[slot] = this.#counts[last]!
    this.#sampledCounts[slot] = this.#sampledCounts[last]!
    this.#slots[moved] = slot + 1
    this.#slots[id] = 0
  }
}
