import type { Tensor, TensorData } from '../runtime/runtime.ts'

/** Copies of states that are overwritten as the text goes on. */
export class MarkedCopies {
  #copies: TensorData[] = []

  take(tensors: readonly Tensor[]): void {
    this.#copies = tensors.map(({ data }, i) => {
      const copy = this.#copies[i]
      if (copy === undefined) return data.slice() as TensorData
      ;(copy as Float32Array).set(data as Float32Array)
      return copy
    })
  }

  giveBack(tensors: readonly Tensor[]): void {
    tensors.forEach(({ data }, i) => {
      ;(data as Float32Array).set(this.#copies[i] as Float32Array)
    })
  }

  drop(): void {
    this.#copies = []
  }
}
