/**
 * Several rows times panels with AVX2 or AVX-VNNI, of codes that are unpacked for a tile: what blocks add up to waits on the stack.
 */
import type { Assembler } from '../x64/assembler.ts'
import { emitExpConstants } from '../x64/exp-code.ts'
import { at, type Memory, R10, R11, RAX, RCX, RDI, RDX, RSI, RSP } from '../x64/registers.ts'
import {
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
import { emitGate, emitPrefetch, PREFETCH_BYTES, type Tile } from './tile-code.ts'
import {
  type BlockConstants,
  emitCodes,
  emitScales,
  emitZeros,
  groupsByLoad,
  HALF_BYTES,
  HALF_COLUMNS,
} from './ymm-block.ts'
import { emitRowsBlock, MOST_ROWS, NIBBLE, type Weights } from './ymm-rows-block.ts'

/** Vectors of 16 lanes for the work with a gate, beside it and its up. */
const GATE_WORK = [4, 5, 6] as const

/** As `emitTile` has it. Takes r10 and r11 as well. */
export function emitRows(code: Assembler, tile: Tile, shape: MatmulShape, table: BlockConstants): void {
  const { rows, panels } = tile
  if (rows > MOST_ROWS || panels > turnPanels(shape))
    throw new RangeError('a tile has more sums than registers')
  const frame = (panels * rows + 1) * VECTOR_BYTES
  code.subNumber(RSP, frame)
  emitAligned(code, R10)
  if (shape.bits === 4) code.ymm.vmovups(NIBBLE, table.nibble as Memory)
  for (let panel = 0; panel < panels; panel++) {
    if (panel > 0) {
      code.addNumber(RDI, panelBytes(shape) - scalesOffset(shape))
      code.subNumber(RSI, rows * ROW_BLOCK_BYTES * blocksOf(shape))
    }
    emitPanel(code, tile, shape, { panel, constants: { ...table, nibble: NIBBLE } })
  }
  emitResults(code, tile, shape)
  code.addNumber(RSP, frame)
}

/** The first address from rsp + `from` on where a vector takes no part of two lines. */
export function emitAligned(code: Assembler, to: number, from = 0): void {
  code.lea(to, at(RSP, from + VECTOR_BYTES - 1))
  code.shr(to, Math.log2(VECTOR_BYTES))
  code.imulNumber(to, to, VECTOR_BYTES)
}

interface PanelPlace {
  readonly panel: number
  readonly constants: BlockConstants
}

/** Every row times the panel at rdi. */
function emitPanel(code: Assembler, tile: Tile, shape: MatmulShape, { panel, constants }: PanelPlace): void {
  const { rows, isFirst } = tile
  const next = code.label()
  const results = panel * rows * VECTOR_BYTES
  code.lanes.zero(0)
  for (let row = 0; row < rows; row++) code.lanes.store(at(R10, results + row * VECTOR_BYTES), 0)
  code.lea(RAX, at(RDI, scalesOffset(shape)))
  code.lea(R11, at(RDI, zerosOffset(shape)))
  code.movNumber(RCX, blocksOf(shape))
  code.bind(next)
  if (isFirst) emitPrefetch(code, at(RDI, PREFETCH_BYTES), shape)
  emitRowsBlock(code, shape, { rows, results, weights: packedWeights(code, shape, constants), constants })
  code.addNumber(RSI, rows * ROW_BLOCK_BYTES)
  code.addNumber(RDI, blockCodeBytes(shape))
  code.addNumber(RAX, blockScaleBytes(shape))
  if (shape.hasZeros) code.addNumber(R11, blockZeroBytes(shape))
  code.subNumber(RCX, 1)
  code.jumpIf('notEqual', next)
}

/** A block of a panel as it lies. rdi: the codes; rax: the scales; r11: the zero points. */
export function packedWeights(code: Assembler, shape: MatmulShape, constants: BlockConstants): Weights {
  return {
    groups: groupsByLoad(shape),
    codes(load, half, to) {
      emitCodes(code, shape, { from: at(RDI, load * VECTOR_BYTES + half * HALF_BYTES), to, constants })
    },
    scales(half, to) {
      emitScales(code, shape, to, at(RAX, half * HALF_COLUMNS * shape.scaleBytes))
    },
    zeros(half, to) {
      emitZeros(code, shape, { from: at(R11, half * HALF_COLUMNS), to, constants })
    },
  }
}

function emitResults(code: Assembler, tile: Tile, shape: MatmulShape): void {
  const isSwiglu = turnPanels(shape) === 2
  const constants = isSwiglu ? emitExpConstants(code, tile.exp, 0) : undefined
  for (let row = 0; row < tile.rows; row++) {
    code.lanes.load(0, at(R10, row * VECTOR_BYTES))
    if (constants !== undefined) {
      code.lanes.load(1, at(R10, (tile.rows + row) * VECTOR_BYTES))
      emitGate(code, { gate: 0, up: 1, work: GATE_WORK, constants })
    }
    code.lanes.store(at(RDX, row * shape.n * 4), 0)
  }
}
