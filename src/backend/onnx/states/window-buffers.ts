/**
 * Window-sized caches: the operator keeps the last tokens in a buffer of fixed size, shape [1, heads, window, headDim],
 * moves them as it likes and writes in place. What has left the window is gone, so these states cannot go back.
 */

import type { Session, Tensor } from '../../../onnx-runtime/runtime.ts'
import type { WindowSlot } from '../plan/state-slots.ts'
import { MarkedCopies } from './marked-copies.ts'
import { type StateGroup, zero } from './state-group.ts'

export class WindowBuffers implements StateGroup {
  readonly canTrim = false
  readonly #session: Session
  readonly #slots: readonly WindowSlot[]
  readonly #copies = new MarkedCopies()
  #tensors: Tensor[] = []

  constructor(session: Session, slots: readonly WindowSlot[]) {
    this.#session = session
    this.#slots = slots
  }

  bind(_held: number, _count: number, rebind: boolean): void {
    const fresh = this.#tensors.length === 0
    if (fresh) this.#tensors = this.#slots.map(({ type, dims }) => this.#session.allocate(type, dims))
    if (fresh) this.clear()
    if (!fresh && !rebind) return
    this.#slots.forEach((slot, i) => {
      this.#session.bindInput(slot.past, this.#tensors[i]!)
      this.#session.bindOutput(slot.present, this.#tensors[i]!)
    })
  }

  commit(): void {}

  clear(): void {
    for (const tensor of this.#tensors) zero(this.#session, tensor)
  }

  mark(): void {
    this.#copies.take(this.#session, this.#tensors)
  }

  restore(): void {
    this.#copies.giveBack(this.#session, this.#tensors)
  }

  dispose(): void {
    for (const tensor of this.#tensors) tensor.dispose()
    this.#tensors = []
    this.#copies.drop()
  }
}
