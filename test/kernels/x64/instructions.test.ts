/**
 * What the interpreter makes of an instruction is what a processor makes of it: of the one that this runs on where it has the
 * instruction, and everywhere of one that made `fixtures/golden/vector-results.json` (SPOUT_WRITE_RESULTS=1 writes it).
 */
import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import fc from 'fast-check'
import koffi from 'koffi'
import { describe, expect, test } from 'vitest'
import { type Isa, kernelChoice } from '../../../src/kernels/isa.ts'
import { Assembler } from '../../../src/kernels/x64/assembler.ts'
import { at, RAX, RDI, RSI } from '../../../src/kernels/x64/registers.ts'
import type { Ymm } from '../../../src/kernels/x64/ymm.ts'
import type { Zmm } from '../../../src/kernels/x64/zmm.ts'
import { executableMemory } from '../../../src/system/executable-memory.ts'
import { stableMemory } from '../../../src/system/stable-memory.ts'
import { Machine } from '../../support/interpreter/machine.ts'
import { makeRandom } from '../../support/random.ts'

/** Three vectors in, one out. */
const IN_BYTES = 3 * 64
const OUT_BYTES = 64

type Emit = (set: Zmm & Ymm, code: Assembler) => void
const out = at(RSI)
const third = at(RDI, 128)

/** The vectors are 0, 1 and 2; the result is 0, or stored. */
const BOTH: Record<string, Emit> = {
  vmulps: (v) => v.vmulps(0, 1, 2),
  vdivps: (v) => v.vdivps(0, 1, 2),
  vaddps: (v) => v.vaddps(0, 1, third),
  vsubps: (v) => v.vsubps(0, 1, 2),
  vmaxps: (v) => v.vmaxps(0, 1, 2),
  vminps: (v) => v.vminps(0, 1, 2),
  vsqrtps: (v) => v.vsqrtps(0, 1),
  vfmadd231ps: (v) => v.vfmadd231ps(0, 1, 2),
  vfmadd213ps: (v) => v.vfmadd213ps(0, 1, 2),
  vfnmadd231ps: (v) => v.vfnmadd231ps(0, 1, third),
  vcvtdq2ps: (v) => v.vcvtdq2ps(0, 1),
  vcvtps2dq: (v) => v.vcvtps2dq(0, 1),
  vcvtph2ps: (v) => v.vcvtph2ps(0, at(RDI, 64)),
  vcvtps2phStore: (v) => v.vcvtps2phStore(out, 1),
  vmovssStore: (v) => v.vmovssStore(out, 1),
  vpbroadcastd: (v) => v.vpbroadcastd(0, at(RDI, 72)),
  vpaddd: (v) => v.vpaddd(0, 1, 2),
  vpsubd: (v) => v.vpsubd(0, 1, third),
  vpmaxsd: (v) => v.vpmaxsd(0, 1, 2),
  vpsrlw: (v) => v.vpsrlw(0, 1, 4),
  vpslld: (v) => v.vpslld(0, 1, 7),
  vshufps: (v) => v.vshufps(0, 1, 2, 0x93),
  vpermd: (v) => v.vpermd(0, 1, 2),
  vpmovzxbd: (v) => v.vpmovzxbd(0, at(RDI, 68)),
}

const OF_ZMM: Record<string, Emit> = {
  ...BOTH,
  vpmulldBroadcast: (v) => v.vpmulldBroadcast(0, 1, at(RDI, 132)),
  vpandd: (v) => v.vpandd(0, 1, 2),
  vpxord: (v) => v.vpxord(0, 1, 2),
  vrndscaleps: (v) => v.vrndscaleps(0, 1, 8),
  vpmovsdbStore: (v) => v.vpmovsdbStore(out, 1),
  vshuff32x4: (v) => v.vshuff32x4(0, 1, 2, 0x4e),
  vpdpbusd: (v) => v.vpdpbusd(0, 1, at(RDI, 132)),
  vfmadd231psBroadcast: (v) => v.vfmadd231psBroadcast(0, 1, at(RDI, 136)),
  vpbroadcastdRegister: (v, code) => {
    code.loadWord(RAX, at(RDI, 100))
    v.vpbroadcastdRegister(0, RAX)
  },
  'vpcmpgtd, vblendmps': (v) => {
    v.vpcmpgtd(3, 1, 2)
    v.vblendmps(0, 3, 1, 2)
  },
}

const OF_YMM: Record<string, Emit> = {
  ...BOTH,
  vpand: (v) => v.vpand(0, 1, 2),
  vpxor: (v) => v.vpxor(0, 1, third),
  vroundps: (v) => v.vroundps(0, 1, 8),
  vmovupsStoreLow: (v) => v.vmovupsStoreLow(out, 1),
  vpcmpgtd: (v) => v.vpcmpgtd(0, 1, 2),
  vblendvps: (v) => v.vblendvps(0, 1, 2, 0),
  vpmulld: (v) => v.vpmulld(0, 1, 2),
  vpaddw: (v) => v.vpaddw(0, 1, 2),
  vpsrad: (v) => v.vpsrad(0, 1, 5),
  vpabsb: (v) => v.vpabsb(0, 1),
  vpsignb: (v) => v.vpsignb(0, 1, 2),
  vpmaddubsw: (v) => v.vpmaddubsw(0, 1, 2),
  vpmaddwd: (v) => v.vpmaddwd(0, 1, 2),
  vperm2f128: (v) => v.vperm2f128(0, 1, 2, 0x21),
  vpackssdw: (v) => v.vpackssdw(0, 1, 2),
  vpacksswb: (v) => v.vpacksswb(0, 1, 2),
  vpbroadcastdVector: (v) => v.vpbroadcastdVector(0, 1),
  vmovdRegister: (v, code) => {
    code.loadWord(RAX, at(RDI, 100))
    v.vmovdRegister(0, RAX)
  },
}

/** `void (in, out)`. */
function emit(code: Assembler, size: 'zmm' | 'ymm', body: Emit, isStored: boolean): void {
  const set = code[size] as Zmm & Ymm
  for (let i = 0; i < 3; i++) set.vmovups(i, at(RDI, 64 * i))
  body(set, code)
  if (!isStored) set.vmovupsStore(out, 0)
  code.vzeroupper()
  code.ret()
}

const SPECIAL = [0, 0x80000000, 0x7f800000, 0xff800000, 0x7fc00000, 1, 0x3f000000, 0x3fc00000, 0xbf000000]
const words = fc.oneof(
  fc
    .integer({ min: 0, max: 2 ** 32 - 1 })
    .map((word) => ((word & 0x7fffffff) > 0x7f800000 ? 0x7fc00000 : word)),
  fc.float({ noNaN: true }).map((x) => new Uint32Array(Float32Array.of(x).buffer)[0]!),
  fc.float({ min: -1000, max: 1000, noNaN: true }).map((x) => new Uint32Array(Float32Array.of(x).buffer)[0]!),
  fc.constantFrom(...SPECIAL),
)
const inputs = fc.array(words, { minLength: IN_BYTES / 4, maxLength: IN_BYTES / 4 })

/** Numbers of 32 bits, all of those that are none as fp32 alike. */
function plain(bytes: Uint8Array, isFloat: boolean): unknown[] {
  const numbers = new Uint32Array(bytes.slice().buffer)
  const floats = new Float32Array(numbers.buffer)
  return Array.from(numbers, (word, i) => (isFloat && Number.isNaN(floats[i]!) ? 'NaN' : word))
}

const { available } = kernelChoice({})
const [input, output] = [new Uint8Array(stableMemory(IN_BYTES)), new Uint8Array(stableMemory(OUT_BYTES))]

/** What three vectors become, with every bit of it. */
type Compute = (values: readonly number[]) => unknown[]

interface Instruction {
  readonly isa: Isa
  readonly size: 'zmm' | 'ymm'
  readonly name: string
  readonly body: Emit
}

function onProcessor({ isa, size, name, body }: Instruction): Compute {
  const code = new Assembler(isa)
  emit(code, size, body, name.includes('Store'))
  const prototype = koffi.proto('void (uintptr_t, uintptr_t)')
  const native = koffi.decode(executableMemory(code.finish()), prototype) as (...args: bigint[]) => void
  return (values) => {
    input.set(new Uint8Array(Uint32Array.from(values).buffer))
    output.fill(0)
    native(koffi.address(input), koffi.address(output))
    return plain(output, isFloat(name))
  }
}

function interpreted({ isa, size, name, body }: Instruction): Compute {
  const machine = new Machine(isa)
  const entry = machine.label()
  machine.bind(entry)
  emit(machine.assembler, size, body, name.includes('Store'))
  const regions = [machine.memory.region('in', IN_BYTES), machine.memory.region('out', OUT_BYTES)] as const
  return (values) => {
    regions[0].bytes.set(new Uint8Array(Uint32Array.from(values).buffer))
    regions[1].bytes.fill(0)
    machine.run(entry, regions[0].base, regions[1].base)
    return plain(regions[1].bytes, isFloat(name))
  }
}

const isFloat = (name: string): boolean =>
  /ps(Broadcast)?$/.test(name) && name !== 'vshufps' && !name.includes('blend')

/** The same vectors on every machine. */
const fixed = Array.from({ length: 40 }, (_, i) => {
  const random = makeRandom(i + 1)
  return Array.from({ length: IN_BYTES / 4 }, () => wordOf(random))
})

function wordOf(random: () => number): number {
  const kind = random()
  if (kind < 0.2) return SPECIAL[Math.floor(random() * SPECIAL.length)]!
  const number = kind < 0.6 ? (random() - 0.5) * 2000 : (random() - 0.5) * 2 ** (random() * 200 - 100)
  return new Uint32Array(Float32Array.of(number).buffer)[0]!
}

const hashOf = (compute: Compute): string =>
  createHash('sha256')
    .update(JSON.stringify(fixed.map(compute)))
    .digest('hex')
    .slice(0, 16)

const GOLDEN = 'fixtures/golden/vector-results.json'
const ALL: readonly Instruction[] = [
  ...instructionsOf('avx512-vnni', 'zmm', OF_ZMM),
  ...instructionsOf('avx2', 'ymm', OF_YMM),
  { isa: 'avx-vnni', size: 'ymm', name: 'vpdpbusd', body: (v) => v.vpdpbusd(0, 1, 2) },
]

function instructionsOf(isa: Isa, size: 'zmm' | 'ymm', bodies: Record<string, Emit>): Instruction[] {
  return Object.entries(bodies).map(([name, body]) => ({ isa, size, name, body }))
}

if (process.env.SPOUT_WRITE_RESULTS === '1') {
  const made = ALL.map((each) => [`${each.size} ${each.name}`, hashOf(onProcessor(each))])
  writeFileSync(GOLDEN, `${JSON.stringify(Object.fromEntries(made), undefined, 2)}\n`)
}
const golden = JSON.parse(readFileSync(GOLDEN, 'utf8')) as Record<string, string>

describe.each(ALL)('$size $name', (instruction) => {
  test('is what it was on a processor', () => {
    expect(hashOf(interpreted(instruction))).toBe(golden[`${instruction.size} ${instruction.name}`])
  })
})

// Not skipped but absent where the processor has none: nothing is said of an instruction here that is not said above.
describe.each(ALL.filter(({ isa }) => available.includes(isa)))(
  '$size $name on this processor',
  (instruction) => {
    test('is what the interpreter makes of it', () => {
      const [native, machine] = [onProcessor(instruction), interpreted(instruction)]
      fc.assert(
        fc.property(inputs, (values) => {
          expect(machine(values)).toEqual(native(values))
        }),
        { numRuns: 40 },
      )
      expect(hashOf(native)).toBe(golden[`${instruction.size} ${instruction.name}`])
    })
  },
)

test('every instruction on vectors is compared', () => {
  const code = new Assembler('avx2')
  const named = [
    ...Object.keys(OF_ZMM),
    ...Object.keys(OF_YMM),
    'vpdpbusd',
    'vmovups',
    'vmovupsStore',
    'vscalefps',
  ]
  const known = new Set(named.flatMap((name) => name.split(', ')))
  for (const set of [code.zmm, code.ymm]) {
    const names = Object.getOwnPropertyNames(Object.getPrototypeOf(set)).filter(
      (name) => name !== 'constructor',
    )
    expect(names.filter((name) => !known.has(name))).toEqual([])
  }
})
