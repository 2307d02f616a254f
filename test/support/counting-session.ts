/** A session that only allocates: what was made, and what is bound; memory comes with what others left in it. */
import type { ElementType, Session, Tensor } from '../../src/onnx-runtime/runtime.ts'

export interface CountedTensor extends Tensor {
  readonly data: Float32Array
  disposals: number
}

export function countingSession() {
  const made: CountedTensor[] = []
  const bound = new Map<string, Tensor | undefined>()
  const session = {
    allocate(type: ElementType, dims: readonly number[]) {
      const data = new Float32Array(dims.reduce((a, b) => a * b, 1)).fill(Number.NaN)
      const tensor: CountedTensor = { type, dims, data, disposals: 0, dispose: () => void tensor.disposals++ }
      made.push(tensor)
      return tensor
    },
    read: (tensor: Tensor) => tensor.data,
    write: (tensor: Tensor, data: Float32Array) => (tensor.data as Float32Array).set(data),
    bindInput: (name: string, tensor: Tensor) => bound.set(name, tensor),
    bindOutput: (name: string, tensor?: Tensor) => bound.set(name, tensor),
  }
  return { session: session as unknown as Session, made, bound }
}
