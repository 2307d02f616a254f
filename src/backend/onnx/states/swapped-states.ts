/**
 * States of constant size (convolutions, recurrences): zero at the start, read from one buffer and written to
 * another, which change places after each run.
 */

import type { Session, Tensor } from '../../../onnx-runtime/runtime.ts'
import type { FixedSlot } from '../plan/state-slots.ts'
import { MarkedCopies } from './marked-copies.ts'
import { type StateGroup, zero } from './state-group.ts'

export class SwappedStates implements StateGroup {
  readonly canTrim = false
  readonly #session: Session
  readonly #slots: readonly FixedSlot[]
  readonly #copies = new MarkedCopies()
  #pasts: Tensor[] = []
  #presents: Tensor[] = []

  constructor(session: Session, slots: readonly FixedSlot[]) {
    this.#session = session
    this.#slots = slots
  }

  bind(): void {
    if (this.#pasts.length === 0) this.#allocate()
    for (let i = 0; i < this.#slots.length; i++) {
      this.#session.bindInput(this.#slots[i]!.past, this.#pasts[i]!)
      this.#session.bindOutput(this.#slots[i]!.present, this.#presents[i]!)
    }
  }

  commit(): void {
    const made = this.#presents
    this.#presents = this.#pasts
    this.#pasts = made
  }

  clear(): void {
    for (const tensor of this.#pasts) zero(this.#session, tensor)
  }

  mark(): void {
    this.#copies.take(this.#session, this.#pasts)
  }

  restore(): void {
    this.#copies.giveBack(this.#session, this.#pasts)
  }

  dispose(): void {
    for (const tensor of [...this.#pasts, ...this.#presents]) tensor.dispose()
    this.#pasts = []
    this.#presents = []
    this.#copies.drop()
  }

  #allocate(): void {
    this.#pasts = this.#slots.map(({ type, dims }) => this.#session.allocate(type, dims))
    this.#presents = this.#slots.map(({ type, dims }) => this.#session.allocate(type, dims))
    this.clear()
  }
}
