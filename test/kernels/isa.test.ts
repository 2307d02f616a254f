import { describe, expect, test } from 'vitest'
import { choose, ISAS, type Isa, isasOf, kernelChoice } from '../../src/kernels/isa.ts'
import type { Cpu } from '../../src/system/cpuid.ts'

interface Says {
  /** ECX of leaf 1. */
  readonly one?: number
  /** EAX, EBX and ECX of leaf 7, and EAX of its first subleaf. */
  readonly seven?: readonly [eax: number, ebx: number, ecx: number, more: number]
  readonly saved?: number
}

function cpuOf({ one = ONE, seven = [1, AVX2, 0, 0], saved = 7 }: Says): Cpu {
  const [eax, ebx, ecx, more] = seven
  return {
    leaf(leaf, subleaf) {
      const zeros = { eax: 0, ebx: 0, ecx: 0, edx: 0 }
      if (leaf === 1) return { ...zeros, ecx: one }
      if (leaf !== 7) return undefined
      return subleaf === 0 ? { ...zeros, eax, ebx, ecx } : { ...zeros, eax: more }
    },
    savedStates: () => saved,
  }
}

const bits = (...places: number[]): number => places.reduce((sum, place) => sum | (1 << place), 0)
/** FMA, XSAVE in use, AVX, F16C. */
const ONE = bits(12, 27, 28, 29)
const AVX2 = bits(5)
const AVX512 = bits(5, 16, 30)
const VNNI = bits(11)
const AVX_VNNI = bits(4)

describe('what a processor has', () => {
  const cases: Record<string, [Says, Isa[]]> = {
    'AVX2 alone': [{}, ['avx2']],
    'AVX2 and AVX-VNNI': [{ seven: [1, AVX2, 0, AVX_VNNI] }, ['avx-vnni', 'avx2']],
    'all of them': [{ seven: [1, AVX512, VNNI, AVX_VNNI], saved: 0xe7 }, [...ISAS]],
    'AVX-512 without VNNI': [{ seven: [1, AVX512, 0, 0], saved: 0xe7 }, ['avx2']],
    'a system that does not save zmm': [{ seven: [1, AVX512, VNNI, AVX_VNNI] }, ['avx-vnni', 'avx2']],
    'a system that does not save ymm': [{ saved: 3 }, []],
    'a system without XSAVE': [{ one: bits(12, 28, 29) }, []],
    'no FMA': [{ one: bits(27, 28, 29) }, []],
    'no F16C': [{ one: bits(12, 27, 28) }, []],
    'what a first subleaf would say that is not there': [{ seven: [0, AVX2, 0, AVX_VNNI] }, ['avx2']],
  }
  test.each(Object.entries(cases))('%s', (_, [says, expected]) => {
    expect(isasOf(cpuOf(says))).toEqual(expected)
  })

  test('a leaf that is not there', () => {
    expect(isasOf({ leaf: () => undefined, savedStates: () => 7 })).toEqual([])
  })
})

describe('the choice', () => {
  test('the first, unless SPOUT_ISA says another', () => {
    expect(choose(ISAS)).toEqual({ isa: 'avx512-vnni', available: ISAS })
    expect(choose(ISAS, '').isa).toBe('avx512-vnni')
    for (const isa of ISAS) expect(choose(ISAS, isa).isa).toBe(isa)
    expect(choose(ISAS, 'avx2').why).toBe('SPOUT_ISA=avx2')
  })

  test('SPOUT_ISA is a limit, not a wish', () => {
    expect(choose(['avx2'], 'avx512-vnni')).toEqual({ isa: 'avx2', available: ['avx2'] })
    expect(choose(['avx512-vnni'], 'avx2').isa).toBeUndefined()
  })

  test('none, and why', () => {
    expect(choose(ISAS, 'none')).toEqual({ isa: undefined, available: ISAS, why: 'SPOUT_ISA=none' })
    expect(choose([])).toMatchObject({ isa: undefined, why: expect.stringContaining('AVX2') })
  })

  test('another word is a fault of the caller', () => {
    for (const env of [{ SPOUT_ISA: 'sse' }, { SPOUT_ISA: 'AVX2' }]) {
      expect(() => kernelChoice(env)).toThrow(/SPOUT_ISA.*no instruction set/)
      try {
        kernelChoice(env)
      } catch (error) {
        expect(error).toMatchObject({ code: 'usage', hint: expect.stringContaining('avx-vnni') })
      }
    }
  })
})

// Only Linux tells.
if (process.platform === 'linux' && process.arch === 'x64') {
  test('CPUID agrees with /proc/cpuinfo', async () => {
    const { readFileSync } = await import('node:fs')
    const flags = new Set(
      /^flags\s*:(.*)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'))![1]!.trim().split(/\s+/),
    )
    const names = { 'avx512-vnni': 'avx512_vnni', 'avx-vnni': 'avx_vnni', avx2: 'avx2' } as const
    const { available } = kernelChoice({})
    for (const isa of available) expect(flags.has(names[isa]), isa).toBe(true)
    expect(available.includes('avx2')).toBe(['avx2', 'fma', 'f16c'].every((flag) => flags.has(flag)))
  })
}
