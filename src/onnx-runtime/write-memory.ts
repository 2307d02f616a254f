import type { Tensor, TensorData } from './runtime.ts'

/** Puts `data` into a tensor whose memory we see; nothing where `data` is that memory. */
export function writeMemory({ data: memory }: Tensor, data: TensorData): void {
  if (memory !== data) (memory as Float32Array).set(data as Float32Array)
}
