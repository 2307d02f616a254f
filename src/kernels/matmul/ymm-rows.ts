/**
 * Several rows times panels with AVX2 or AVX-VNNI. A block goes group by group, so that a number of the input, once it is in all lanes,
 * serves 16 columns, and codes, once they are unpacked, all rows. The whole numbers of a block fill half of the registers; what
 * blocks add up to waits in memory.
 */
import type { Assembler } from '../x64/assembler.ts'
import { emitExpConstants } from '../x64/exp-code.ts'
import { at, type Memory, R10, R11, RAX, RCX, RDI, RDX, RSI, RSP } from '../x64/registers.ts'
import {
  BLOCK,
  blockCodeBytes,
  blockScaleBytes,
  blocksOf,
  blockZeroBytes,
  type MatmulShape,
  panelBytes,
  ROW_BLOCK_BYTES,
  scalesOffset,
  turnPanels,
  VECTOR_BYTES,
  zerosOffset,
} from './matmul-shape.ts'
import { emitGate, emitPrefetch, groupPlace, type Tile } from './tile-code.ts'
import {
  type BlockConstants,
  emitCodes,
  emitPairs,
  emitProducts,
  emitScales,
  emitZeros,
  groupsByLoad,
  HALF_BYTES,
  HALF_COLUMNS,
  HALVES,
  hasZeroTerm,
} from './ymm-block.ts'

const MOST_ROWS = 4
/** Registers: of each row two sums of a block from 0 on, codes of up to two groups, a number of the input, two for the work. */
const CODES = 2 * MOST_ROWS
const X = CODES + 4
const WORK = X + 1
/** What unpacks codes of 4 bits. */
const NIBBLE = WORK + 2
/** Where codes were: what a block is scaled with, and zero points. */
const SCALES = CODES
const ZEROS = CODES + 2
/** Vectors of 16 lanes for the work with a gate, beside it and its up. */
const GATE_WORK = [4, 5, 6] as const

const sumOf = (row: number, half: number): number => 2 * row + half

/** As `emitTile` has it. Takes r10 and r11 as well. */
export function emitRows(code: Assembler, tile: Tile, shape: MatmulShape, table: BlockConstants): void {
  const { rows, panels } = tile
  if (rows > MOST_ROWS || panels > turnPanels(shape))
    throw new RangeError('a tile has more sums than registers')
  const constants = { ...table, nibble: NIBBLE }
  const frame = (panels * rows + 1) * VECTOR_BYTES
  code.subNumber(RSP, frame)
  // r10: the next address where a vector takes no part of two lines
  code.lea(R10, at(RSP, VECTOR_BYTES - 1))
  code.shr(R10, Math.log2(VECTOR_BYTES))
  code.imulNumber(R10, R10, VECTOR_BYTES)
  if (shape.bits === 4) code.ymm.vmovups(NIBBLE, table.nibble as Memory)
  for (let panel = 0; panel < panels; panel++) {
    if (panel > 0) {
      code.addNumber(RDI, panelBytes(shape) - scalesOffset(shape))
      code.subNumber(RSI, rows * ROW_BLOCK_BYTES * blocksOf(shape))
    }
    emitPanel(code, tile, shape, { panel, constants })
  }
  emitResults(code, tile, shape)
  code.addNumber(RSP, frame)
}

/** What the blocks of a row and a panel add up to. */
function resultOf({ rows }: Tile, panel: number, row: number): Memory {
  return at(R10, (panel * rows + row) * VECTOR_BYTES)
}

interface PanelPlace {
  readonly panel: number
  readonly constants: BlockConstants
}

/** Every row times the panel at rdi. */
function emitPanel(code: Assembler, tile: Tile, shape: MatmulShape, { panel, constants }: PanelPlace): void {
  const { rows, isFirst } = tile
  const next = code.label()
  code.lanes.zero(0)
  for (let row = 0; row < rows; row++) code.lanes.store(resultOf(tile, panel, row), 0)
  code.lea(RAX, at(RDI, scalesOffset(shape)))
  code.lea(R11, at(RDI, zerosOffset(shape)))
  code.movNumber(RCX, blocksOf(shape))
  code.bind(next)
  if (isFirst) emitPrefetch(code, 0, shape)
  if (code.isa === 'avx-vnni') {
    emitBlockZeros(code, shape, constants)
    for (let row = 0; row < rows; row++) emitZeroTerms(code, tile, shape, row)
  }
  emitBlockSums(code, tile, shape, constants)
  if (code.isa === 'avx2') emitBlockZeros(code, shape, constants)
  for (const half of HALVES) {
    emitScales(code, shape, SCALES + half, at(RAX, half * HALF_COLUMNS * shape.scaleBytes))
  }
  for (let row = 0; row < rows; row++) {
    for (const half of HALVES) emitPairs(code, shape, { sum: sumOf(row, half), constants })
    if (code.isa === 'avx2') emitZeroTerms(code, tile, shape, row)
    emitScaled(code, tile, { panel, row })
  }
  code.addNumber(RSI, rows * ROW_BLOCK_BYTES)
  code.addNumber(RDI, blockCodeBytes(shape))
  code.addNumber(RAX, blockScaleBytes(shape))
  if (shape.hasZeros) code.addNumber(R11, blockZeroBytes(shape))
  code.subNumber(RCX, 1)
  code.jumpIf('notEqual', next)
}

/** A block of every row times 16 columns, as whole numbers. */
function emitBlockSums(code: Assembler, { rows }: Tile, shape: MatmulShape, constants: BlockConstants): void {
  const placeOf = (place: number, half: number): number => CODES + 2 * place + half
  for (const [i, groups] of groupsByLoad(shape).entries()) {
    for (const half of HALVES) {
      const from = at(RDI, i * VECTOR_BYTES + half * HALF_BYTES)
      emitCodes(code, shape, { from, to: [placeOf(0, half), placeOf(1, half)], constants })
    }
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

/** Zero points of the 16 columns. */
function emitBlockZeros(code: Assembler, shape: MatmulShape, constants: BlockConstants): void {
  for (const half of HALVES) {
    emitZeros(code, shape, { from: at(R11, half * HALF_COLUMNS), to: ZEROS + half, constants })
  }
}

/** Minus the zero points times the sum of the input: what sums begin with where their instruction adds, else what comes to them. */
function emitZeroTerms(code: Assembler, { rows }: Tile, shape: MatmulShape, row: number): void {
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
function emitScaled({ ymm }: Assembler, tile: Tile, { panel, row }: { panel: number; row: number }): void {
  for (const half of HALVES) {
    ymm.vcvtdq2ps(sumOf(row, half), sumOf(row, half))
    ymm.vmulps(sumOf(row, half), sumOf(row, half), SCALES + half)
  }
  ymm.vpbroadcastd(X, at(RSI, tile.rows * BLOCK + row * 4))
  const { base, disp } = resultOf(tile, panel, row)
  for (const half of HALVES) {
    const result = at(base, disp + half * HALF_BYTES)
    ymm.vmovups(WORK + half, result)
    ymm.vfmadd231ps(WORK + half, sumOf(row, half), X)
    ymm.vmovupsStore(result, WORK + half)
  }
}

function emitResults(code: Assembler, tile: Tile, shape: MatmulShape): void {
  const isSwiglu = turnPanels(shape) === 2
  const constants = isSwiglu ? emitExpConstants(code, tile.exp, 0) : undefined
  for (let row = 0; row < tile.rows; row++) {
    code.lanes.load(0, resultOf(tile, 0, row))
    if (constants !== undefined) {
      code.lanes.load(1, resultOf(tile, 1, row))
      emitGate(code, { gate: 0, up: 1, work: GATE_WORK, constants })
    }
    code.lanes.store(at(RDX, row * shape.n * 4), 0)
  }
}
