/**
 * The C heap under ONNX Runtime, where glibc can be told how to keep it. glibc raises its threshold for mapped blocks with
 * every large block that is freed; the weights unpacked while a session loads would then leave holes in the heap that are
 * never given back. A fixed threshold and one trim after loading keep them out of the resident size.
 *
 * A prepared session unpacks its weights only to see that they are what it has mapped, one after the other: there the blocks
 * stay in the heap until it is loaded, to be used again and again instead of coming from the system each time.
 * Elsewhere these are no-ops.
 */
import koffi, { type LibraryHandle } from 'koffi'

/** Parameters of mallopt, as malloc.h numbers them. */
const M_TRIM_THRESHOLD = -1
const M_MMAP_THRESHOLD = -3
const M_MMAP_MAX = -4

/** Blocks from this size on come from the system and go back to it. */
const MAPPED_BYTES = 128 << 10
/** As many mapped blocks as glibc allows unless told otherwise. */
const MANY = 65536
const NEVER = 0x7fffffff
/** Large enough that glibc looks at the top of the heap when it is freed, and too small to be mapped. */
const TRIMMING_BYTES = 96 << 10
/** Of libuv, unless told otherwise; they take work in turns. */
const POOL_THREADS = 4

interface Malloc {
  /** Large blocks that are freed are used again, until `giveBack` is called as often. */
  keepFreed(): void
  /** What is unused goes back to the system. */
  giveBack(): void
}

let malloc: Malloc | undefined

/** Sets M_MMAP_MAX, M_MMAP_THRESHOLD and M_TRIM_THRESHOLD, once. */
export function configureGlibcMalloc(): Malloc {
  malloc ??= openGlibc() ?? { keepFreed: () => undefined, giveBack: () => undefined }
  return malloc
}

function openGlibc(): Malloc | undefined {
  if (process.platform !== 'linux') return undefined
  try {
    return glibcMalloc(koffi.load('libc.so.6'))
  } catch {
    return undefined // another C library
  }
}

function glibcMalloc(libc: LibraryHandle): Malloc {
  const mallopt = libc.func('int mallopt(int parameter, int value)')
  const trim = libc.func('int malloc_trim(size_t pad)')
  const malloc = libc.func('uintptr_t malloc(size_t size)')
  const free = libc.func('void free(uintptr_t block)')
  const mapLargeBlocks = (): void => {
    mallopt(M_MMAP_MAX, MANY)
    mallopt(M_MMAP_THRESHOLD, MAPPED_BYTES)
    mallopt(M_TRIM_THRESHOLD, MAPPED_BYTES)
  }
  /** A block from the heap of whichever thread of the pool comes next; none where it cannot be asked. */
  const blockOfPool = (): Promise<number> =>
    new Promise((resolve) => {
      malloc.async(TRIMMING_BYTES, (error: Error | null, block: number) =>
        resolve(error === null ? block : 0),
      )
    })
  /** `malloc_trim` leaves the top of every heap but the main thread's; a block that is freed right below it does not. */
  const trimPool = async (): Promise<void> => {
    for (let i = 0; i < POOL_THREADS; i++) free(await blockOfPool())
  }
  let holders = 0
  mapLargeBlocks()
  return {
    keepFreed() {
      // The handle stays referenced: koffi closes a library whose handle is collected.
      if (libc === undefined || holders++ > 0) return
      mallopt(M_MMAP_MAX, 0)
      mallopt(M_TRIM_THRESHOLD, NEVER)
    },
    giveBack() {
      if (holders > 0 && --holders > 0) return
      mapLargeBlocks()
      trim(0)
      // Nobody waits for it: the pool may have long work to do.
      trimPool().catch(() => undefined)
    },
  }
}
