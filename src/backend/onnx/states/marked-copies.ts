import type { Session, Tensor, TensorData } from '../../../onnx-runtime/runtime.ts'

/** Copies of states that are overwritten as the text goes on. */
export class MarkedCopies {
  #copies: TensorData[] = []

  take(session: Session, tensors: readonly Tensor[]): void {
    this.#copies = tensors.map((tensor, i) => {
      const data = session.read(tensor)
      const copy = this.#copies[i]
      if (copy === undefined) return data.slice() as TensorData
      ;(copy as Float32Array).set(data as Float32Array)
      return copy
    })
  }

  giveBack(session: Session, tensors: readonly Tensor[]): void {
    tensors.forEach((tensor, i) => {
      session.write(tensor, this.#copies[i]!)
    })
  }

  drop(): void {
    this.#copies = []
  }
}
