/**
 * The two kinds of KV cache. Graphs with GroupQueryAttention append in place: one buffer with room to grow is both
 * past and present, and forgetting tokens is only a smaller length. Graphs that concatenate make new tensors at
 * every run, which are handed over as the next past without leaving the runtime.
 */
import type { KvCache } from '../backend.ts'
import type { CacheSlot } from './feed-plan.ts'
import type { Session, Tensor, TensorData } from './runtime/runtime.ts'

export interface OnnxKvCache extends KvCache {
  /** Binds past and present for a run that appends `count` tokens. */
  bind(count: number): void
  /** The run succeeded: its tokens are part of the cache. */
  commit(count: number): void
}

/** First capacity of a shared cache, in tokens; it doubles. */
const FIRST_CAPACITY = 256

/** One buffer per slot, shape [1, heads, capacity, headDim], bound as past and present alike. */
export class SharedKvCache implements OnnxKvCache {
  readonly #session: Session
  readonly #slots: readonly CacheSlot[]
  readonly #limits: CacheLimits
  /** Which cache the session's binding shows, so that a decode step binds nothing. */
  readonly #owner: BindingOwner
  #tensors: Tensor[] = []
  #capacity = 0
  #length = 0

  constructor(session: Session, slots: readonly CacheSlot[], limits: CacheLimits, owner: BindingOwner) {
    this.#session = session
    this.#slots = slots
    this.#limits = limits
    this.#owner = owner
  }

  get length(): number {
    return this.#length
  }

  trim(length: number): void {
    this.#length = Math.min(this.#length, length)
  }

  bind(count: number): void {
    if (this.#length + count > this.#capacity) this.#grow(this.#length + count)
    if (this.#owner.current === this) return
    this.#slots.forEach((slot, i) => {
      this.#session.bindInput(slot.past, this.#tensors[i]!)
      this.#session.bindOutput(slot.present, this.#tensors[i]!)
    })
    this.#owner.current = this
  }

  commit(count: number): void {
    this.#length += count
  }

  dispose(): void {
    for (const tensor of this.#tensors) tensor.dispose()
    this.#tensors = []
    this.#capacity = 0
    this.#length = 0
    if (this.#owner.current === this) this.#owner.current = undefined
  }

  /** Slot by slot, and each bound at once (the binding holds the old buffer until then), so that no more than one slot lies in memory twice. */
  #grow(needed: number): void {
    const { expected, most } = this.#limits
    let capacity = Math.max(FIRST_CAPACITY, this.#capacity)
    while (capacity < Math.max(needed, expected)) capacity *= 2
    capacity = Math.max(needed, Math.min(capacity, most))
    this.#slots.forEach((slot, i) => {
      const { heads, headDim, type } = slot
      const larger = this.#session.allocate(type, [1, heads, capacity, headDim])
      const smaller = this.#tensors[i]
      if (smaller !== undefined) {
        const rows = { heads, rowSize: headDim, count: this.#length }
        copyRows(smaller.data, this.#capacity, larger.data, capacity, rows)
      }
      this.#tensors[i] = larger
      this.#session.bindInput(slot.past, larger)
      this.#session.bindOutput(slot.present, larger)
      smaller?.dispose()
    })
    this.#capacity = capacity
    this.#owner.current = this
  }
}

export interface CacheLimits {
  /** Tokens to come, as far as known: growing on the way copies, and leaves holes in the heap. */
  readonly expected: number
  /** The context length: more is never needed. */
  readonly most: number
}

/** The cache whose tensors a session's binding holds. */
export interface BindingOwner {
  current: OnnxKvCache | undefined
}

/** The tensors of the last run, shape [1, heads, length, headDim]: present becomes past. */
export class HandOverKvCache implements OnnxKvCache {
  readonly #session: Session
  readonly #slots: readonly CacheSlot[]
  #tensors: Tensor[] = []
  /** Tokens that the tensors hold; more than `#length` after a trim. */
  #held = 0
  #length = 0

  constructor(session: Session, slots: readonly CacheSlot[]) {
    this.#session = session
    this.#slots = slots
  }

  get length(): number {
    return this.#length
  }

  trim(length: number): void {
    this.#length = Math.min(this.#length, length)
  }

  bind(_count: number): void {
    if (this.#held !== this.#length || this.#tensors.length === 0) this.#cut()
    this.#slots.forEach((slot, i) => {
      this.#session.bindInput(slot.past, this.#tensors[i]!)
      // Anew for each run: a binding keeps what the last run made, and would have it written over.
      this.#session.bindOutput(slot.present)
    })
  }

  commit(count: number): void {
    this.#slots.forEach((slot, i) => {
      this.#tensors[i]?.dispose()
      this.#tensors[i] = this.#session.takeOutput(slot.present)
    })
    this.#length += count
    this.#held = this.#length
  }

  dispose(): void {
    for (const tensor of this.#tensors) tensor.dispose()
    this.#tensors = []
    this.#length = 0
    this.#held = 0
  }

  /** Copies the rows that stay; also makes the empty tensors of a new cache. */
  #cut(): void {
    this.#tensors = this.#slots.map(({ heads, headDim, type }, i) => {
      const tensor = this.#session.allocate(type, [1, heads, this.#length, headDim])
      const old = this.#tensors[i]
      if (old !== undefined && this.#length > 0) {
        copyRows(old.data, this.#held, tensor.data, this.#length, {
          heads,
          rowSize: headDim,
          count: this.#length,
        })
      }
      old?.dispose()
      return tensor
    })
    this.#held = this.#length
  }
}

/** Copies the first `count` rows of every head between layouts of different capacity. */
function copyRows(
  from: TensorData,
  fromCapacity: number,
  to: TensorData,
  toCapacity: number,
  rows: { heads: number; rowSize: number; count: number },
): void {
  const { heads, rowSize, count } = rows
  for (let head = 0; head < heads; head++) {
    const start = head * fromCapacity * rowSize
    const part = from.subarray(start, start + count * rowSize) as Float32Array
    ;(to as Float32Array).set(part, head * toCapacity * rowSize)
  }
}
