/**
 * A block of 32 quantized numbers times 8 columns of weights, as exact sums of 32 bits. With AVX-VNNI by an instruction for it. With
 * AVX2 in pairs of 16 bits: 4-bit codes make at most 8 · 2 · 15 · 128 = 30,720 of all groups; 8-bit codes are taken around their
 * zero point and their sign is given to the input, 2 · 128 · 127 = 32,512 at most, and each pair is widened.
 */
import type { Assembler } from '../x64/assembler.ts'
import type { Label } from '../x64/code-buffer.ts'
import type { Constant } from '../x64/lanes.ts'
import { at, type Memory, R8, RDI, RSI } from '../x64/registers.ts'
import { BLOCK, GROUPS, type MatmulShape, VECTOR_BYTES } from './matmul-shape.ts'
import { groupPlace } from './tile-code.ts'

/** Numbers that the code for a block reads: 15 in each byte, 1 in each 16 bits, the zero point of 8 bits in each byte and in 32 bits. */
const TABLE = [0x0f0f0f0f, 0x00010001, 0x80808080, 0x80]

export interface BlockConstants {
  readonly nibble: Memory
  readonly ones: Memory
  readonly zeroPoint: Memory
  readonly wideZeroPoint: Memory
}

export function emitBlockData(code: Assembler, table: Label): void {
  code.lanes.emitTable(table, TABLE)
}

/** Takes r8, which must stay. */
export function emitBlockConstants(code: Assembler, table: Label): BlockConstants {
  const [nibble, ones, zeroPoint, wide] = code.lanes
    .useTable(table, TABLE.length, { first: 0, base: R8 })
    .map(memoryOf)
  return { nibble: nibble!, ones: ones!, zeroPoint: zeroPoint!, wideZeroPoint: wide! }
}

function memoryOf(constant: Constant): Memory {
  if ('vector' in constant) throw new RangeError('a constant in a vector, of another set')
  return constant.memory
}

/** The register that holds the codes of a group. */
type Places = (group: number) => number

interface WeightsPlace {
  readonly constants: BlockConstants
  /** Of the 8 columns, from rdi. */
  readonly offset: number
  readonly places: Places
}

/** The groups of a block, those that come with one load side by side. */
export function groupOrder({ bits }: MatmulShape): number[] {
  const all = Array.from({ length: GROUPS }, (_, i) => i)
  return bits === 8 ? all : all.map((i) => Math.floor(i / 2) + (i % 2) * (GROUPS / 2))
}

/** Brings the codes of a group, and of the one that comes with it, to their places. */
export function emitGroup(code: Assembler, shape: MatmulShape, group: number, from: WeightsPlace): void {
  const { ymm } = code
  const { constants, offset, places } = from
  if (shape.bits === 8) {
    ymm.vmovups(places(group), at(RDI, offset + group * VECTOR_BYTES))
    // Around the zero point, where it is the sign that counts.
    if (code.isa === 'avx2') ymm.vpxor(places(group), places(group), constants.zeroPoint)
    return
  }
  if (group >= GROUPS / 2) return
  const [even, odd] = [places(group), places(group + GROUPS / 2)]
  ymm.vmovups(even, at(RDI, offset + group * VECTOR_BYTES))
  ymm.vpsrlw(odd, even, 4)
  ymm.vpand(even, even, constants.nibble)
  ymm.vpand(odd, odd, constants.nibble)
}

interface Dot {
  readonly constants: BlockConstants
  readonly places: Places
  /** What is done before a group is needed. */
  readonly before?: (group: number) => void
  /** Of the 8 columns, where they have their own. */
  readonly zeros: Memory
  /** Of the input, in a tile of `rows`. */
  readonly row: number
  readonly rows: number
  /** Becomes the sums of 8 columns. */
  readonly sum: number
  readonly x: number
  readonly work: number
}

/** rsi: the quantized rows. */
export function emitDot(code: Assembler, shape: MatmulShape, dot: Dot): void {
  const { ymm } = code
  const { places, before, row, sum, x, work, constants } = dot
  const add = adderOf(code, shape, dot)
  if (code.isa === 'avx-vnni') emitZeroTerm(code, shape, dot, { to: sum, with: x })
  for (const [i, group] of groupOrder(shape).entries()) {
    before?.(group)
    ymm.vpbroadcastd(x, at(RSI, row * BLOCK + groupPlace(group, shape) * 4))
    add(places(group), i === 0)
  }
  if (code.isa === 'avx-vnni') return
  if (shape.bits === 4) ymm.vpmaddwd(sum, sum, constants.ones)
  else if (!shape.hasZeros) return
  emitZeroTerm(code, shape, dot, { to: x, with: work })
  ymm.vpaddd(sum, sum, x)
}

/** Minus the zero points times the sum of the input. */
function emitZeroTerm(
  { ymm, isa }: Assembler,
  { bits, hasZeros = false }: MatmulShape,
  { row, rows, zeros, constants }: Dot,
  { to, with: work }: { readonly to: number; readonly with: number },
): void {
  ymm.vpbroadcastd(to, at(RSI, rows * (BLOCK + 4) + row * 4))
  if (!hasZeros) return
  ymm.vpmovzxbd(work, zeros)
  // Those of 8 bits are around the middle already.
  if (isa === 'avx2' && bits === 8) ymm.vpsubd(work, work, constants.wideZeroPoint)
  ymm.vpmulld(to, to, work)
}

/** Adds a group, whose codes are in a register, times the input in `x` to the sums. */
function adderOf({ ymm, isa }: Assembler, { bits }: MatmulShape, { sum, x, work, constants }: Dot) {
  if (isa === 'avx-vnni') return (weights: number): void => ymm.vpdpbusd(sum, weights, x)
  if (bits === 4) {
    return (weights: number, isFirst: boolean): void => {
      ymm.vpmaddubsw(isFirst ? sum : x, weights, x)
      if (!isFirst) ymm.vpaddw(sum, sum, x)
    }
  }
  return (weights: number, isFirst: boolean): void => {
    ymm.vpsignb(x, x, weights)
    ymm.vpabsb(work, weights)
    ymm.vpmaddubsw(work, work, x)
    ymm.vpmaddwd(isFirst ? sum : work, work, constants.ones)
    if (!isFirst) ymm.vpaddd(sum, sum, work)
  }
}
