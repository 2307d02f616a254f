/** What a processor of x86-64 says of itself. */
import koffi from 'koffi'
import { executableMemory } from './executable-memory.ts'
import { stableMemory } from './stable-memory.ts'

/** The four registers that CPUID fills, and the states of registers that the system keeps for a program (XCR0, its lower half). */
export interface Cpu {
  /** `undefined`: a leaf that this processor does not have. */
  leaf(leaf: number, subleaf: number): { eax: number; ebx: number; ecx: number; edx: number } | undefined
  /** Only where CPUID says that the system uses XSAVE. */
  savedStates(): number
}

/** `void (leaf, subleaf, to)`: push rbx; mov r8, rdx; mov eax, edi; mov ecx, esi; cpuid; four stores to [r8]; pop rbx; ret */
const CPUID = [
  [0x53, 0x49, 0x89, 0xd0, 0x89, 0xf8, 0x89, 0xf1, 0x0f, 0xa2, 0x41, 0x89, 0x00],
  [0x41, 0x89, 0x58, 0x04, 0x41, 0x89, 0x48, 0x08, 0x41, 0x89, 0x50, 0x0c, 0x5b, 0xc3],
].flat()
/** `uint32_t ()`: xor ecx, ecx; xgetbv; ret */
const XGETBV = [0x31, 0xc9, 0x0f, 0x01, 0xd0, 0xc3]

/** `undefined` on other systems, and where machine code cannot be run. */
export function openCpu(): Cpu | undefined {
  if (process.platform !== 'linux' || process.arch !== 'x64') return undefined
  let base: bigint
  try {
    base = executableMemory(Uint8Array.from([...CPUID, ...XGETBV]))
  } catch {
    return undefined
  }
  const cpuid = koffi.decode(base, koffi.proto('void (uint32_t, uint32_t, uintptr_t)')) as CpuidCall
  const xgetbv = koffi.decode(base + BigInt(CPUID.length), koffi.proto('uint32_t ()')) as () => number
  const registers = new Uint32Array(stableMemory(16))
  const address = koffi.address(registers)
  const call = (leaf: number, subleaf: number) => {
    cpuid(leaf, subleaf, address)
    const [eax, ebx, ecx, edx] = registers as unknown as [number, number, number, number]
    return { eax, ebx, ecx, edx }
  }
  const { eax: last } = call(0, 0)
  return {
    leaf: (leaf, subleaf) => (leaf > last ? undefined : call(leaf, subleaf)),
    savedStates: xgetbv,
  }
}

type CpuidCall = (leaf: number, subleaf: number, to: bigint) => void
