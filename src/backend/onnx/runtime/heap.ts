/**
 * The C heap under ONNX Runtime. glibc raises its threshold for mapped blocks with every large block that is freed;
 * the weights unpacked while a session loads would then leave holes in the heap that are never given back. A fixed
 * threshold and one trim after loading keep them out of the resident size. Elsewhere these are no-ops.
 */
import koffi from 'koffi'

const M_MMAP_THRESHOLD = -3
/** Blocks from this size on come from the system and go back to it. */
const MAPPED_BYTES = 128 << 10

interface Heap {
  /** Gives unused memory back to the system. */
  trim(): void
}

let heap: Heap | undefined

export function tameHeap(): Heap {
  heap ??= openGlibc() ?? { trim: () => undefined }
  return heap
}

function openGlibc(): Heap | undefined {
  if (process.platform !== 'linux') return undefined
  try {
    const libc = koffi.load('libc.so.6')
    libc.func('int mallopt(int parameter, int value)')(M_MMAP_THRESHOLD, MAPPED_BYTES)
    const trim = libc.func('int malloc_trim(size_t pad)')
    // The handle stays referenced: koffi closes a library whose handle is collected.
    return { trim: () => void (libc && trim(0)) }
  } catch {
    return undefined // another C library
  }
}
