/**
 * Processors that add to single logits or take ids away by setting them to -Infinity. Ids the model has no
 * logit for need no care: writing past the end of a typed array does nothing.
 */
import type { LogitsProcessor } from './logits-processor.ts'

/** Adds a bias to each of a few logits. */
export class LogitBias implements LogitsProcessor {
  readonly #ids: Int32Array
  readonly #biases: Float32Array

  constructor(biases: ReadonlyMap<number, number>) {
    this.#ids = Int32Array.from(biases.keys())
    this.#biases = Float32Array.from(biases.values())
  }

  process(logits: Float32Array): void {
    for (let i = 0; i < this.#ids.length; i++) logits[this.#ids[i]!]! += this.#biases[i]!
  }
}

/** Never lets these ids be chosen. */
export class BannedIds implements LogitsProcessor {
  readonly #ids: Int32Array

  constructor(ids: Iterable<number>) {
    this.#ids = Int32Array.from(ids)
  }

  process(logits: Float32Array): void {
    for (let i = 0; i < this.#ids.length; i++) logits[this.#ids[i]!] = -Infinity
  }
}

/** Lets no end id be chosen before `minNewTokens` ids have been sampled. */
export class MinNewTokens implements LogitsProcessor {
  readonly #stops: BannedIds
  #left: number

  constructor(minNewTokens: number, stopTokenIds: Iterable<number>) {
    this.#stops = new BannedIds(stopTokenIds)
    this.#left = minNewTokens
  }

  process(logits: Float32Array): void {
    if (this.#left > 0) this.#stops.process(logits)
  }

  accept(_id: number, sampled: boolean): void {
    if (sampled) this.#left--
  }
}

/** Forbids every id that would repeat a run of `size` ids of the context, prompt included. */
export class NoRepeatNgram implements LogitsProcessor {
  readonly #size: number
  readonly #context: ContextIds

  constructor(size: number, capacity: number) {
    this.#size = size
    this.#context = new ContextIds(capacity)
  }

  process(logits: Float32Array): void {
    const { ids, length } = this.#context
    const matched = this.#size - 1
    for (let next = matched; next < length; next++) {
      let back = 1
      while (back <= matched && ids[next - back] === ids[length - back]) back++
      if (back > matched) logits[ids[next]!] = -Infinity
    }
  }

  accept(id: number): void {
    this.#context.push(id)
  }
}

/** Forbids the last id of a sequence where the ids before it end the context. */
export class BannedSequences implements LogitsProcessor {
  readonly #sequences: readonly Int32Array[]
  readonly #context: ContextIds

  constructor(sequences: readonly (readonly number[])[], capacity: number) {
    this.#sequences = sequences.map((ids) => Int32Array.from(ids))
    this.#context = new ContextIds(capacity)
  }

  process(logits: Float32Array): void {
    for (let i = 0; i < this.#sequences.length; i++) {
      const sequence = this.#sequences[i]!
      const last = sequence.length - 1
      if (this.#context.endsWith(sequence, last)) logits[sequence[last]!] = -Infinity
    }
  }

  accept(id: number): void {
    this.#context.push(id)
  }
}

/** The ids of the context, in room that doubles when it is full. */
class ContextIds {
  ids: Int32Array
  length = 0

  constructor(capacity: number) {
    this.ids = new Int32Array(Math.max(1, capacity))
  }

  push(id: number): void {
    if (this.length === this.ids.length) {
      const ids = new Int32Array(2 * this.length)
      ids.set(this.ids)
      this.ids = ids
    }
    this.ids[this.length++] = id
  }

  /** Whether the last ids are the first `length` of `sequence`. */
  endsWith(sequence: Int32Array, length: number): boolean {
    if (length > this.length) return false
    for (let i = 0; i < length; i++) if (this.ids[this.length - length + i] !== sequence[i]) return false
    return true
  }
}
