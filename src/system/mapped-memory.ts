/** Memory straight from the system: of our own, or a part of a file. Linux. */
import koffi from 'koffi'
import { SpoutError } from '../errors.ts'
import { PAGE } from './memory-pages.ts'

export interface Mapped {
  readonly address: bigint
  /** Gives it back; nobody may read it any more. */
  release(): void
}

const READ = 1
const WRITE = 2
const PRIVATE = 2
const ANONYMOUS = 0x20
/** Nothing is set aside for it. */
const NO_RESERVE = 0x4000
const DONT_NEED = 4
const HUGE_PAGES = 14
const CLOSES_ON_EXEC = 1
/** Of the system's large pages, where it has some. */
const HUGE = 2 ** 21

export const PROTECTION = { read: READ, readWrite: READ | WRITE, readExecute: READ | 4 } as const

let libc: ReturnType<typeof openLibc> | undefined

function openLibc() {
  const library = koffi.load('libc.so.6')
  return {
    library,
    map: library.func('uintptr_t mmap(uintptr_t, size_t, int, int, int, int64_t)'),
    unmap: library.func('int munmap(uintptr_t, size_t)'),
    protect: library.func('int mprotect(uintptr_t, size_t, int)'),
    advise: library.func('int madvise(uintptr_t, size_t, int)'),
    memoryFile: library.func('int memfd_create(const char*, unsigned int)'),
  }
}

/** @throws SpoutError `os` when there is none. */
export function mapMemory(bytes: number): Mapped {
  const mapped = map({ bytes, protection: PROTECTION.readWrite, flags: PRIVATE | ANONYMOUS })
  libc!.advise(mapped.address, bytes, HUGE_PAGES)
  return mapped
}

/** A range of addresses, of which parts become memory. */
export interface Reserved extends Mapped {
  readonly bytes: number
  /** Makes memory of zeros, of whole pages of the system. @throws SpoutError `os` when there is none. */
  commit(offset: number, bytes: number): void
  /** Memory as bytes, until it is released. */
  view(offset: number, bytes: number): Uint8Array
  /** Gives back what memory holds there; it is zeros when it is used again. */
  forget(offset: number, bytes: number): void
}

/** Addresses for `bytes`, or for half as many and so on where a limit of the process forbids it. @throws SpoutError `os` for none. */
export function reserveMemory(bytes: number, least: number): Reserved {
  for (let size = bytes; ; size = Math.max(least, Math.floor(size / 2))) {
    try {
      const flags = PRIVATE | ANONYMOUS | NO_RESERVE
      return reserved(map({ bytes: size + HUGE, protection: 0, flags }), size)
    } catch (error) {
      if (size === least) throw error
    }
  }
}

/** In large pages: a fault for each small one would take longer than the bytes that are written there. */
function reserved(mapped: Mapped, bytes: number): Reserved {
  const skipped = Number(BigInt.asUintN(64, -mapped.address) & BigInt(HUGE - 1))
  const address = mapped.address + BigInt(skipped)
  libc!.advise(address, bytes, HUGE_PAGES)
  return {
    address,
    bytes,
    release: mapped.release,
    commit(offset, count) {
      // Up to a large page's end, for one that is memory in part is filled in small ones.
      const end = Math.min(bytes, Math.ceil((offset + count) / HUGE) * HUGE)
      if (libc!.protect(address + BigInt(offset), end - offset, PROTECTION.readWrite) === 0) return
      throw new SpoutError('os', `memory: cannot allocate ${count} bytes`)
    },
    view: (offset, count) => new Uint8Array(koffi.view(address + BigInt(offset), count)),
    forget(offset, count) {
      libc!.advise(address + BigInt(offset), count, DONT_NEED)
    },
  }
}

/** Bytes of an open file, to be read only. @throws SpoutError `os` when they cannot be mapped. */
export function mapFile(file: number, offset: number, bytes: number): Mapped {
  const skipped = offset % PAGE
  const whole = { bytes: bytes + skipped, protection: READ, flags: PRIVATE }
  const mapped = map({ ...whole, file, offset: offset - skipped })
  return { ...mapped, address: mapped.address + BigInt(skipped) }
}

/**
 * An open file as bytes, to be read only: each is read when it is looked at first. Given back when nobody holds them any more.
 * @throws SpoutError `os` when they cannot be mapped.
 */
export function mapBytes(file: number, bytes: number): Uint8Array {
  const { address, release } = mapFile(file, 0, bytes)
  const buffer = koffi.view(address, bytes)
  heldByViews.register(buffer, release)
  return new Uint8Array(buffer)
}

const heldByViews = new FinalizationRegistry((release: () => void) => release())

/**
 * A file of memory without a name, gone with its last descriptor: what one process hands to another that outlives it. Whoever
 * opens it closes it. @throws SpoutError `os` when there is none.
 */
export function openMemoryFile(name: string): number {
  libc ??= openLibc()
  const descriptor: number = libc.memoryFile(name, CLOSES_ON_EXEC)
  if (descriptor < 0) throw new SpoutError('os', `memory: no file for ${name}`)
  return descriptor
}

/** @throws Error when the system does not allow it. */
export function protectMemory(address: bigint, bytes: number, protection: number): void {
  if (libc!.protect(address, bytes, protection) !== 0)
    throw new Error('memory: this system does not allow it')
}

interface Mapping {
  readonly bytes: number
  readonly protection: number
  readonly flags: number
  readonly file?: number
  readonly offset?: number
}

function map({ bytes, protection, flags, file = -1, offset = 0 }: Mapping): Mapped {
  libc ??= openLibc()
  const { unmap } = libc
  const address = BigInt.asUintN(64, BigInt(libc.map(0, bytes, protection, flags, file, offset)))
  if (address === FAILED) throw new SpoutError('os', `memory: cannot allocate ${bytes} bytes`)
  let isMapped = true
  return {
    address,
    release() {
      if (isMapped) unmap(address, bytes)
      isMapped = false
    },
  }
}

const FAILED = (1n << 64n) - 1n
