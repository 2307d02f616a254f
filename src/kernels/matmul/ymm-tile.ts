/** A tile with AVX2 or AVX-VNNI: a panel of 16 columns is two halves of 8, one register each. */
import type { Assembler } from '../x64/assembler.ts'
import { emitExpConstants } from '../x64/exp-code.ts'
import { at, type Memory, R11, RAX, RCX, RDI, RDX, RSI } from '../x64/registers.ts'
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
import { emitGate, emitPrefetch, groupPlace, PREFETCH_BYTES, type Tile } from './tile-code.ts'
import {
  type BlockConstants,
  emitBlockConstants,
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
import { emitRows } from './ymm-rows.ts'

/** Of a single row: the sums of up to four panels from 0 on, and weights that come one by one. */
const MOST_PANELS = 4
const [SUM, X, WORK, SCALES] = [8, 11, 12, 13] as const
const CODES = [9, 10] as const
/** Vectors of 16 lanes for the work with a gate, beside up to four of sums. */
const GATE_WORK = [4, 5, 6] as const

/** As `emitTile` has it. Takes r8 to r11 as well. */
export function emitYmmTile(code: Assembler, tile: Tile, shape: MatmulShape): void {
  const constants = emitBlockConstants(code, tile.blocks)
  if (tile.rows === 1) emitRow(code, tile, shape, constants)
  else emitRows(code, tile, shape, constants)
}

/** One row times up to four panels: what is waited for is memory, so all panels are read side by side. */
function emitRow(code: Assembler, tile: Tile, shape: MatmulShape, constants: BlockConstants): void {
  const { ymm } = code
  const { panels } = tile
  if (panels > MOST_PANELS) throw new RangeError('a tile has more sums than vectors')
  const next = code.label()
  for (let i = 0; i < 2 * panels; i++) ymm.vpxor(i, i, i)
  code.lea(RAX, at(RDI, scalesOffset(shape)))
  code.lea(R11, at(RDI, zerosOffset(shape)))
  code.movNumber(RCX, blocksOf(shape))
  code.bind(next)
  for (let panel = 0; panel < panels; panel++) {
    const offset = panel * panelBytes(shape)
    emitPrefetch(code, at(RDI, offset + PREFETCH_BYTES), shape)
    for (const half of HALVES) emitHalf(code, shape, { constants, offset, half, to: 2 * panel + half })
  }
  code.addNumber(RSI, ROW_BLOCK_BYTES)
  code.addNumber(RDI, blockCodeBytes(shape))
  code.addNumber(RAX, blockScaleBytes(shape))
  if (shape.hasZeros) code.addNumber(R11, blockZeroBytes(shape))
  code.subNumber(RCX, 1)
  code.jumpIf('notEqual', next)
  emitResults(code, tile, shape)
}

interface Half {
  readonly constants: BlockConstants
  /** Of the panel. */
  readonly offset: number
  readonly half: number
  /** What blocks add up to. */
  readonly to: number
}

/** A block times 8 columns, scaled once, by the scales of the weights and that of the row, and added. */
function emitHalf(code: Assembler, shape: MatmulShape, { constants, offset, half, to }: Half): void {
  const { ymm } = code
  const codes = offset + half * HALF_BYTES
  const zeros = at(R11, offset + half * HALF_COLUMNS)
  emitScales(code, shape, SCALES, at(RAX, offset + half * HALF_COLUMNS * shape.scaleBytes))
  if (code.isa === 'avx-vnni') emitZeroTerm(code, shape, { to: SUM, zeros, work: X, constants })
  for (const [i, groups] of groupsByLoad(shape).entries()) {
    emitCodes(code, shape, { from: at(RDI, codes + i * VECTOR_BYTES), to: CODES, constants })
    for (const [place, group] of groups.entries()) {
      ymm.vpbroadcastd(X, at(RSI, groupPlace(group, shape) * 4))
      const isFirst = i + place === 0
      emitProducts(code, shape, { codes: CODES[place]!, x: X, work: [X, WORK], sum: SUM, isFirst, constants })
    }
  }
  emitPairs(code, shape, { sum: SUM, constants })
  if (code.isa === 'avx2' && hasZeroTerm(code, shape)) {
    emitZeroTerm(code, shape, { to: X, zeros, work: WORK, constants })
    ymm.vpaddd(SUM, SUM, X)
  }
  ymm.vcvtdq2ps(SUM, SUM)
  ymm.vmulps(SUM, SUM, SCALES)
  ymm.vpbroadcastd(X, at(RSI, BLOCK))
  ymm.vfmadd231ps(to, SUM, X)
}

interface ZeroTerm {
  readonly to: number
  readonly zeros: Memory
  readonly work: number
  readonly constants: BlockConstants
}

/** Minus the zero points times the sum of the input. */
function emitZeroTerm(code: Assembler, shape: MatmulShape, { to, zeros, work, constants }: ZeroTerm): void {
  code.ymm.vpbroadcastd(to, at(RSI, BLOCK + 4))
  emitZeros(code, shape, { from: zeros, to: work, constants })
  if (shape.hasZeros) code.ymm.vpmulld(to, to, work)
}

function emitResults(code: Assembler, { panels, exp }: Tile, shape: MatmulShape): void {
  const turn = turnPanels(shape)
  if (turn === 2) {
    const constants = emitExpConstants(code, exp, 0)
    for (let gate = 0; gate < panels; gate += 2)
      emitGate(code, { gate, up: gate + 1, work: GATE_WORK, constants })
  }
  for (let panel = 0; panel < panels; panel += turn)
    code.lanes.store(at(RDX, (panel / turn) * VECTOR_BYTES), panel)
}
