/**
 * Of a block of 32 quantized numbers times 8 columns of weights, the steps to its exact sums of 32 bits. With AVX-VNNI by an
 * instruction for it. With AVX2 in pairs of 16 bits: 4-bit codes make at most 8 · 2 · 15 · 128 = 30,720 of all groups; 8-bit codes are
 * taken around their zero point and their sign is given to the input, 2 · 128 · 127 = 32,512 at most, and each pair is widened.
 */
import type { Assembler } from '../x64/assembler.ts'
import type { Label } from '../x64/code-buffer.ts'
import type { Constant } from '../x64/lanes.ts'
import { type Memory, R8, type Source } from '../x64/registers.ts'
import { GROUPS, type MatmulShape, VECTOR_BYTES } from './matmul-shape.ts'

/** Parts of a panel: a register has 8 of its 16 columns. */
export const HALVES = [0, 1] as const
export const HALF_BYTES = VECTOR_BYTES / 2
export const HALF_COLUMNS = 8

/** Numbers that the code for a block reads: 15 in each byte, 1 in each 16 bits, the zero point of 8 bits in each byte and in 32 bits. */
const TABLE = [0x0f0f0f0f, 0x00010001, 0x80808080, 0x80]

export interface BlockConstants {
  readonly nibble: Source
  readonly ones: Memory
  readonly zeroPoint: Memory
  readonly wideZeroPoint: Memory
}

export function emitBlockData(code: Assembler, table: Label): void {
  code.lanes.emitTable(table, TABLE)
}

/** Takes r8, which must stay. */
export function emitBlockConstants(
  code: Assembler,
  table: Label,
): BlockConstants & { readonly nibble: Memory } {
  const [nibble, ones, zeroPoint, wide] = code.lanes
    .useTable(table, TABLE.length, { first: 0, base: R8 })
    .map(memoryOf)
  return { nibble: nibble!, ones: ones!, zeroPoint: zeroPoint!, wideZeroPoint: wide! }
}

function memoryOf(constant: Constant): Memory {
  if ('vector' in constant) throw new RangeError('a constant in a vector, of another set')
  return constant.memory
}

/** The groups of a block, those that come with one load together. */
export function groupsByLoad({ bits }: MatmulShape): readonly (readonly number[])[] {
  if (bits === 8) return Array.from({ length: GROUPS }, (_, i) => [i])
  return Array.from({ length: GROUPS / 2 }, (_, i) => [i, i + GROUPS / 2])
}

/** Loads codes, and brings those of each group to its register of `to`. */
export function emitCodes(
  { ymm, isa }: Assembler,
  { bits }: MatmulShape,
  { from, to, constants }: { from: Memory; to: readonly number[]; constants: BlockConstants },
): void {
  const [even, odd] = to as [number, number]
  ymm.vmovups(even, from)
  if (bits === 8) {
    // Around the zero point, where it is the sign that counts.
    if (isa === 'avx2') ymm.vpxor(even, even, constants.zeroPoint)
    return
  }
  ymm.vpsrlw(odd, even, 4)
  ymm.vpand(even, even, constants.nibble)
  ymm.vpand(odd, odd, constants.nibble)
}

interface Products {
  /** Registers. Codes of a group. */
  readonly codes: number
  /** Its numbers of the input, in all lanes. */
  readonly x: number
  /** The first two may be of `x`, which is lost then. */
  readonly work: readonly [number, number]
  readonly sum: number
  /** There is no sum yet; with AVX-VNNI there always is. */
  readonly isFirst: boolean
  readonly constants: BlockConstants
}

/** Adds a group of codes times the input to the sums. */
export function emitProducts({ ymm, isa }: Assembler, { bits }: MatmulShape, products: Products): void {
  const { codes, x, work, sum, isFirst, constants } = products
  if (isa === 'avx-vnni') ymm.vpdpbusd(sum, codes, x)
  else if (bits === 4) {
    const [product] = work
    ymm.vpmaddubsw(isFirst ? sum : product, codes, x)
    if (!isFirst) ymm.vpaddw(sum, sum, product)
  } else {
    const [signed, product] = work
    ymm.vpsignb(signed, x, codes)
    ymm.vpabsb(product, codes)
    ymm.vpmaddubsw(product, product, signed)
    ymm.vpmaddwd(isFirst ? sum : product, product, constants.ones)
    if (!isFirst) ymm.vpaddd(sum, sum, product)
  }
}

/** Where sums are of 16 bits, brings each two together. */
export function emitPairs(
  { ymm, isa }: Assembler,
  { bits }: MatmulShape,
  { sum, constants }: Pick<Products, 'sum' | 'constants'>,
): void {
  if (isa === 'avx2' && bits === 4) ymm.vpmaddwd(sum, sum, constants.ones)
}

/** Whether zero points are still to be taken off: codes of 8 bits are around theirs with AVX2, but for those that columns have of their own. */
export function hasZeroTerm({ isa }: Assembler, { bits, hasZeros = false }: MatmulShape): boolean {
  return hasZeros || isa !== 'avx2' || bits === 4
}

/** The zero points of 8 columns, where they have their own. */
export function emitZeros(
  { ymm, isa }: Assembler,
  { bits, hasZeros = false }: MatmulShape,
  { from, to, constants }: { from: Memory; to: number; constants: BlockConstants },
): void {
  if (!hasZeros) return
  ymm.vpmovzxbd(to, from)
  // Those of 8 bits are around the middle already.
  if (isa === 'avx2' && bits === 8) ymm.vpsubd(to, to, constants.wideZeroPoint)
}

/** The scales of 8 columns. */
export function emitScales({ ymm }: Assembler, { scaleBytes }: MatmulShape, to: number, from: Memory): void {
  if (scaleBytes === 2) ymm.vcvtph2ps(to, from)
  else ymm.vmovups(to, from)
}
