/**
 * A block of up to four rows times a panel with AVX2 or AVX-VNNI. It goes group by group, so that a number of the input, once it is in
 * all lanes, serves 16 columns, and codes all rows. The whole numbers of a block fill half of the registers; what blocks add up to
 * waits in memory.
 */
import type { Assembler } from '../x64/assembler.ts'
import { at, R10, RSI } from '../x64/registers.ts'
import { BLOCK, type MatmulShape, VECTOR_BYTES } from './matmul-shape.ts'
import { groupPlace } from './tile-code.ts'
import { type BlockConstants, emitPairs, emitProducts, HALF_BYTES, HALVES, hasZeroTerm } from './ymm-block.ts'

export const MOST_ROWS = 4
/** Registers: of each row two sums of a block from 0 on, codes of up to two groups, a number of the input, two for the work. */
const CODES = 2 * MOST_ROWS
const X = CODES + 4
const WORK = X + 1
/** What unpacks codes of 4 bits, where they are packed. */
export const NIBBLE = WORK + 2
/** Where codes were: what a block is scaled with, and zero points. */
const SCALES = CODES
const ZEROS = CODES + 2

/** How what a block has of a panel comes to registers, of half the columns at a time. */
export interface Weights {
  /** Those that come with one load together. */
  readonly groups: readonly (readonly number[])[]
  codes(load: number, half: number, to: readonly number[]): void
  scales(half: number, to: number): void
  /** As numbers of 32 bits, where columns have their own. */
  zeros(half: number, to: number): void
}

interface RowsBlock {
  readonly rows: number
  readonly weights: Weights
  /** From r10 on, where 16 numbers of each row are that the block is added to. */
  readonly results: number
  readonly constants: BlockConstants
}

const sumOf = (row: number, half: number): number => 2 * row + half

/** rsi: the block of the quantized rows. */
export function emitRowsBlock(code: Assembler, shape: MatmulShape, block: RowsBlock): void {
  const { rows, weights, constants } = block
  const isVnni = code.isa === 'avx-vnni'
  if (isVnni) {
    for (const half of HALVES) weights.zeros(half, ZEROS + half)
    for (let row = 0; row < rows; row++) emitZeroTerms(code, shape, block, row)
  }
  emitBlockSums(code, shape, block)
  if (!isVnni) for (const half of HALVES) weights.zeros(half, ZEROS + half)
  for (const half of HALVES) weights.scales(half, SCALES + half)
  for (let row = 0; row < rows; row++) {
    for (const half of HALVES) emitPairs(code, shape, { sum: sumOf(row, half), constants })
    if (!isVnni) emitZeroTerms(code, shape, block, row)
    emitScaled(code, block, row)
  }
}

/** Whole numbers, of every row and 16 columns. */
function emitBlockSums(code: Assembler, shape: MatmulShape, { rows, weights, constants }: RowsBlock): void {
  const placeOf = (place: number, half: number): number => CODES + 2 * place + half
  for (const [i, groups] of weights.groups.entries()) {
    for (const half of HALVES) weights.codes(i, half, [placeOf(0, half), placeOf(1, half)])
    for (let row = 0; row < rows; row++) {
      for (const [place, group] of groups.entries()) {
        code.ymm.vpbroadcastd(X, at(RSI, row * BLOCK + groupPlace(group, shape) * 4))
        for (const half of HALVES) {
          const of = { codes: placeOf(place, half), x: X, sum: sumOf(row, half), isFirst: i + place === 0 }
          emitProducts(code, shape, { ...of, work: [WORK + half, WORK + 1 - half], constants })
        }
      }
    }
  }
}

/** Minus the zero points times the sum of the input: what sums begin with where their instruction adds, else what comes to them. */
function emitZeroTerms(code: Assembler, shape: MatmulShape, { rows }: RowsBlock, row: number): void {
  const { ymm } = code
  if (!hasZeroTerm(code, shape)) return
  for (const half of HALVES) {
    const sum = sumOf(row, half)
    const term = code.isa === 'avx-vnni' ? sum : X
    ymm.vpbroadcastd(term, at(RSI, rows * (BLOCK + 4) + row * 4))
    if (shape.hasZeros) ymm.vpmulld(term, term, ZEROS + half)
    if (term !== sum) ymm.vpaddd(sum, sum, term)
  }
}

/** A block of a row is scaled once, by the scales of the weights and that of the row, and added. */
function emitScaled({ ymm }: Assembler, { rows, results }: RowsBlock, row: number): void {
  for (const half of HALVES) {
    ymm.vcvtdq2ps(sumOf(row, half), sumOf(row, half))
    ymm.vmulps(sumOf(row, half), sumOf(row, half), SCALES + half)
  }
  ymm.vpbroadcastd(X, at(RSI, rows * BLOCK + row * 4))
  for (const half of HALVES) {
    const result = at(R10, results + row * VECTOR_BYTES + half * HALF_BYTES)
    ymm.vmovups(WORK + half, result)
    ymm.vfmadd231ps(WORK + half, sumOf(row, half), X)
    ymm.vmovupsStore(result, WORK + half)
  }
}
