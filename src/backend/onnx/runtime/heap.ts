/**
 * The C heap under ONNX Runtime, where glibc can be told how to keep it. While a session loads, its weights are unpacked
 * into blocks of one heap made of huge pages: a page fault costs more than filling the page, and 2 MiB pages have 512
 * times fewer of them. Afterwards, and before, large blocks come from the system and go back to it, so that none leaves
 * a hole in the heap. Elsewhere these are no-ops.
 */
import koffi, { type LibraryHandle } from 'koffi'

/** Parameters of mallopt, as malloc.h numbers them. */
const M_TRIM_THRESHOLD = -1
const M_MMAP_THRESHOLD = -3
const M_MMAP_MAX = -4
const M_ARENA_MAX = -8
/** Advice of madvise, as mman.h numbers it. */
const MADV_HUGEPAGE = 14

/** Blocks from this size on come from the system and go back to it. */
const MAPPED_BYTES = 128 << 10
const HUGE_PAGE = 2 << 20
/** As many mapped blocks as glibc allows unless told otherwise. */
const MANY = 65536
const NEVER = 0x7fffffff
/** What the heap is prepared for at most; what a session needs beyond it comes in small pages. */
const MOST_RESERVED = 2 ** 40

export interface Heap {
  /**
   * Makes room for `bytes` that are about to be allocated. The memory is taken only as it is written. To be followed by
   * `settle`, as often as it was called.
   */
  reserve(bytes: number): void
  /** The allocations are done: what is unused goes back to the system. */
  settle(): void
}

let heap: Heap | undefined

export function tameHeap(): Heap {
  heap ??= openGlibc() ?? { reserve: () => undefined, settle: () => undefined }
  return heap
}

function openGlibc(): Heap | undefined {
  if (process.platform !== 'linux') return undefined
  try {
    return glibcHeap(koffi.load('libc.so.6'))
  } catch {
    return undefined // another C library
  }
}

function glibcHeap(libc: LibraryHandle): Heap {
  const mallopt = libc.func('int mallopt(int parameter, int value)')
  const trim = libc.func('int malloc_trim(size_t pad)')
  const malloc = libc.func('void* malloc(size_t size)')
  const free = libc.func('void free(void* block)')
  const madvise = libc.func('int madvise(uintptr_t start, size_t length, int advice)')
  let reserved = 0
  const mapLargeBlocks = (): void => {
    mallopt(M_MMAP_MAX, MANY)
    mallopt(M_MMAP_THRESHOLD, MAPPED_BYTES)
    mallopt(M_TRIM_THRESHOLD, MAPPED_BYTES)
  }
  mapLargeBlocks()
  // Threads of their own heaps would not see the room that is made in the first.
  mallopt(M_ARENA_MAX, 1)
  return {
    reserve(bytes) {
      // The handle stays referenced: koffi closes a library whose handle is collected.
      reserved++
      if (libc === undefined || bytes < 2 * HUGE_PAGE || bytes > MOST_RESERVED) return
      mallopt(M_MMAP_MAX, 0)
      mallopt(M_TRIM_THRESHOLD, NEVER)
      const block = malloc(bytes)
      if (block === null) return
      const start = Math.ceil(Number(koffi.address(block)) / HUGE_PAGE) * HUGE_PAGE
      madvise(start, bytes - HUGE_PAGE, MADV_HUGEPAGE)
      free(block)
    },
    settle() {
      if (--reserved > 0) return
      mapLargeBlocks()
      trim(0)
    },
  }
}
