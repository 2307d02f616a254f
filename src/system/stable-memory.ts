/**
 * Memory that the garbage collector does not move. V8 keeps typed arrays of up to 64 bytes on its own heap, where
 * they move, unless they are made over a buffer.
 */
export function stableMemory(bytes: number): ArrayBuffer {
  return new ArrayBuffer(bytes)
}
