/** The instruction sets that kernels are written for, and which of them runs here. */
import { SpoutError } from '../errors.ts'
import { type Cpu, openCpu } from '../system/cpuid.ts'

/** By preference. */
export const ISAS = ['avx512-vnni', 'avx-vnni', 'avx2'] as const
export type Isa = (typeof ISAS)[number]

/** Which kernels run: of what set, or none and why. */
interface KernelChoice {
  /** `undefined`: ONNX Runtime's own kernels. */
  readonly isa: Isa | undefined
  /** All that the processor and the system have. */
  readonly available: readonly Isa[]
  /** Where it is not the best that there is for any processor. */
  readonly why?: string
}

/** A bit of a register that CPUID fills. */
interface Feature {
  readonly leaf: number
  readonly subleaf: number
  readonly register: 'eax' | 'ebx' | 'ecx'
  readonly bit: number
}

const one = (bit: number): Feature => ({ leaf: 1, subleaf: 0, register: 'ecx', bit })
const seven = (register: 'ebx' | 'ecx', bit: number): Feature => ({ leaf: 7, subleaf: 0, register, bit })

const OSXSAVE = one(27)
const [FMA, AVX, F16C, AVX2] = [one(12), one(28), one(29), seven('ebx', 5)]
const [AVX512F, AVX512BW, AVX512_VNNI] = [seven('ebx', 16), seven('ebx', 30), seven('ecx', 11)]
const AVX_VNNI: Feature = { leaf: 7, subleaf: 1, register: 'eax', bit: 4 }

/** States that the system has to save: those of SSE and AVX; those of the masks and of zmm as well. */
const YMM_STATES = 0x06
const ZMM_STATES = 0xe6

const NEEDS: Readonly<Record<Isa, { features: readonly Feature[]; states: number }>> = {
  'avx512-vnni': { features: [AVX512F, AVX512BW, AVX512_VNNI, FMA, F16C], states: ZMM_STATES },
  'avx-vnni': { features: [AVX, AVX2, FMA, F16C, AVX_VNNI], states: YMM_STATES },
  avx2: { features: [AVX, AVX2, FMA, F16C], states: YMM_STATES },
}

/** The sets of a processor, by preference. */
export function isasOf(cpu: Cpu): Isa[] {
  const has = ({ leaf, subleaf, register, bit }: Feature): boolean => {
    // A subleaf beyond the last is told by the first one.
    if (subleaf > 0 && (cpu.leaf(leaf, 0)?.eax ?? 0) < subleaf) return false
    return (((cpu.leaf(leaf, subleaf)?.[register] ?? 0) >>> bit) & 1) === 1
  }
  if (!has(OSXSAVE)) return []
  const saved = cpu.savedStates()
  return ISAS.filter((isa) => {
    const { features, states } = NEEDS[isa]
    return (saved & states) === states && features.every(has)
  })
}

/**
 * The choice for this process. SPOUT_ISA limits it: a set, and with it all that come after, or `none`.
 * @throws SpoutError `usage` when SPOUT_ISA is none of these.
 */
export function kernelChoice(env: NodeJS.ProcessEnv = process.env): KernelChoice {
  available ??= sets()
  return choose(available, env.SPOUT_ISA)
}

let available: readonly Isa[] | undefined

function sets(): readonly Isa[] {
  const cpu = openCpu()
  return cpu === undefined ? [] : isasOf(cpu)
}

/** @param most the value of SPOUT_ISA. */
export function choose(available: readonly Isa[], most?: string): KernelChoice {
  if (most === 'none') return { isa: undefined, available, why: 'SPOUT_ISA=none' }
  if (most !== undefined && most !== '' && !(ISAS as readonly string[]).includes(most)) {
    throw new SpoutError('usage', `SPOUT_ISA: ${JSON.stringify(most.slice(0, 40))} is no instruction set`, {
      hint: `one of ${ISAS.join(', ')}, or none for ONNX Runtime's own kernels`,
    })
  }
  const from = most ? ISAS.indexOf(most as Isa) : 0
  const isa = available.find((each) => ISAS.indexOf(each) >= from)
  if (isa === undefined) return { isa, available, why: 'this processor or system has no AVX2 for them' }
  return isa === available[0] ? { isa, available } : { isa, available, why: `SPOUT_ISA=${most}` }
}
