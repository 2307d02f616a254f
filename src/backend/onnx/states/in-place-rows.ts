/**
 * Keys and values that GroupQueryAttention appends in place: one buffer with room to grow is both past and present,
 * shape [1, heads, capacity, headDim], and forgetting tokens is only a smaller number.
 */

import type { Session, Tensor } from '../../../onnx-runtime/runtime.ts'
import type { RowsSlot } from '../plan/state-slots.ts'
import { copyRows, rowLayout, type StateGroup, withRows } from './state-group.ts'

/** First capacity, in tokens; it doubles. */
const FIRST_CAPACITY = 256

export interface CacheLimits {
  /** Tokens to come, as far as known: growing on the way copies, and leaves holes in the heap. */
  readonly expected: number
  /** The context length: more is never needed. */
  readonly most: number
}

export class InPlaceRows implements StateGroup {
  readonly canTrim = true
  readonly #session: Session
  readonly #slots: readonly RowsSlot[]
  readonly #limits: CacheLimits
  #tensors: Tensor[] = []
  #capacity = 0

  constructor(session: Session, slots: readonly RowsSlot[], limits: CacheLimits) {
    this.#session = session
    this.#slots = slots
    this.#limits = limits
  }

  bind(held: number, count: number, rebind: boolean): void {
    if (held + count > this.#capacity) this.#grow(held, held + count)
    else if (rebind) this.#bindAll()
  }

  commit(): void {}

  clear(): void {}

  mark(): void {}

  restore(): void {}

  dispose(): void {
    for (const tensor of this.#tensors) tensor.dispose()
    this.#tensors = []
    this.#capacity = 0
  }

  /** Slot by slot, and each bound at once (the binding holds the old buffer until then), so that no more than one slot lies in memory twice. */
  #grow(held: number, needed: number): void {
    const { expected, most } = this.#limits
    let capacity = Math.max(FIRST_CAPACITY, this.#capacity)
    while (capacity < Math.max(needed, expected)) capacity *= 2
    capacity = Math.max(needed, Math.min(capacity, most))
    this.#slots.forEach((slot, i) => {
      const larger = this.#session.allocate(slot.type, withRows(slot.dims, slot.axis, capacity))
      const smaller = this.#tensors[i]
      if (smaller !== undefined && held > 0) {
        const from = { data: this.#session.read(smaller), capacity: this.#capacity }
        const to = { data: this.#session.read(larger), capacity }
        copyRows(from, to, { ...rowLayout(slot.dims, slot.axis), count: held })
        this.#session.write(larger, to.data)
      }
      this.#tensors[i] = larger
      this.#bindSlot(slot, larger)
      smaller?.dispose()
    })
    this.#capacity = capacity
  }

  #bindAll(): void {
    for (let i = 0; i < this.#slots.length; i++) this.#bindSlot(this.#slots[i]!, this.#tensors[i]!)
  }

  #bindSlot(slot: RowsSlot, tensor: Tensor): void {
    this.#session.bindInput(slot.past, tensor)
    this.#session.bindOutput(slot.present, tensor)
  }
}
