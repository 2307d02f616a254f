/** Graphs that concatenate make new tensors at every run: the present of one run is the past of the next. */

import type { Session, Tensor } from '../../../onnx-runtime/runtime.ts'
import type { RowsSlot } from '../plan/state-slots.ts'
import { copyRows, rowLayout, type StateGroup, withRows } from './state-group.ts'

export class HandedOverRows implements StateGroup {
  readonly canTrim = true
  readonly #session: Session
  readonly #slots: readonly RowsSlot[]
  #tensors: Tensor[] = []
  /** Tokens that the tensors hold. */
  #rows = 0

  constructor(session: Session, slots: readonly RowsSlot[]) {
    this.#session = session
    this.#slots = slots
  }

  bind(held: number): void {
    if (this.#rows !== held || this.#tensors.length === 0) this.#cut(held)
    for (let i = 0; i < this.#slots.length; i++) {
      this.#session.bindInput(this.#slots[i]!.past, this.#tensors[i]!)
      // Anew for each run: a binding keeps what the last run made, and would have it written over.
      this.#session.bindState(this.#slots[i]!.present)
    }
  }

  commit(held: number): void {
    for (let i = 0; i < this.#slots.length; i++) {
      this.#tensors[i]?.dispose()
      this.#tensors[i] = this.#session.takeOutput(this.#slots[i]!.present)
    }
    this.#rows = held
  }

  clear(): void {
    for (const tensor of this.#tensors) tensor.dispose()
    this.#tensors = []
    this.#rows = 0
  }

  mark(): void {}

  restore(): void {}

  dispose(): void {
    this.clear()
  }

  /** Copies the rows that stay; also makes the empty tensors of a new cache. */
  #cut(held: number): void {
    this.#tensors = this.#slots.map(({ type, dims, axis }, i) => {
      const tensor = this.#session.allocate(type, withRows(dims, axis, held))
      const old = this.#tensors[i]
      if (old !== undefined && held > 0) {
        const from = { data: this.#session.read(old), capacity: this.#rows }
        const to = { data: this.#session.read(tensor), capacity: held }
        copyRows(from, to, { ...rowLayout(dims, axis), count: held })
        this.#session.write(tensor, to.data)
      }
      old?.dispose()
      return tensor
    })
    this.#rows = held
  }
}
