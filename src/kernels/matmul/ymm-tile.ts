/** A tile with AVX2 or AVX-VNNI: a panel of 16 columns is worked on in two halves of 8, one vector each. */
import type { Assembler } from '../x64/assembler.ts'
import { emitExpConstants } from '../x64/exp-code.ts'
import { at, R9, R10, R11, RAX, RCX, RDI, RDX, RSI, RSP } from '../x64/registers.ts'
import {
  BLOCK,
  blockCodeBytes,
  blockScaleBytes,
  blocksOf,
  blockZeroBytes,
  type MatmulShape,
  PANEL_COLUMNS,
  panelBytes,
  ROW_BLOCK_BYTES,
  scalesOffset,
  turnPanels,
  VECTOR_BYTES,
  zerosOffset,
} from './matmul-shape.ts'
import { emitGate, emitPrefetch, type Tile } from './tile-code.ts'
import { type BlockConstants, emitBlockConstants, emitDot, emitGroup, groupOrder } from './ymm-block.ts'

const HALVES = [0, 1] as const
const HALF_BYTES = VECTOR_BYTES / 2
const HALF_COLUMNS = PANEL_COLUMNS / 2
/** Of a single row: the sums of up to four panels from 0 on, and weights that come one by one. */
const MOST_PANELS = 4
const ROW = { sum: 8, places: [9, 10], x: 11, work: 12, scales: 13 } as const
/** Of several rows: all weights of a block from 0 on, and a sum of each row. */
const ROWS = { sum: 8, x: 9, work: 10, scales: 11, sums: 12 } as const
const MOST_ROWS = 4
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
    emitPrefetch(code, offset, shape)
    for (const half of HALVES) {
      const places = (group: number): number => ROW.places[shape.bits === 8 || group < 4 ? 0 : 1]!
      const from = { constants, offset: offset + half * HALF_BYTES, places }
      const before = (group: number): void => emitGroup(code, shape, group, from)
      emitScales(code, shape, { offset, half, scales: ROW.scales })
      const zeros = at(R11, offset + half * HALF_COLUMNS)
      emitDot(code, shape, { ...ROW, places, before, constants, zeros, row: 0, rows: 1 })
      emitScaled(code, { ...ROW, row: 0, rows: 1, to: 2 * panel + half })
    }
  }
  emitNextBlock(code, tile, shape)
  code.jumpIf('notEqual', next)
  emitRowResults(code, tile, shape)
}

function emitRowResults(code: Assembler, { panels, exp }: Tile, shape: MatmulShape): void {
  const turn = turnPanels(shape)
  if (turn === 2) {
    const constants = emitExpConstants(code, exp, 0)
    for (let gate = 0; gate < panels; gate += 2)
      emitGate(code, { gate, up: gate + 1, work: GATE_WORK, constants })
  }
  for (let panel = 0; panel < panels; panel += turn)
    code.lanes.store(at(RDX, (panel / turn) * VECTOR_BYTES), panel)
}

/** Several rows: the weights of 8 columns are unpacked once for all of them. The ups of SwiGLU panels wait on the stack. */
function emitRows(code: Assembler, tile: Tile, shape: MatmulShape, constants: BlockConstants): void {
  const { rows, panels, exp } = tile
  if (rows > MOST_ROWS || panels > turnPanels(shape))
    throw new RangeError('a tile has more sums than vectors')
  const isSwiglu = turnPanels(shape) === 2
  if (isSwiglu) code.subNumber(RSP, rows * VECTOR_BYTES)
  // r9: the rows; r10: the first panel
  code.mov(R9, RSI)
  code.mov(R10, RDI)
  for (let panel = 0; panel < panels; panel++) {
    for (const half of HALVES) {
      emitHalf(code, tile, shape, { constants, offset: panel * panelBytes(shape), half })
      for (let row = 0; row < rows; row++) {
        const [base, stride] = panel === 0 ? [RDX, shape.n * 4] : [RSP, VECTOR_BYTES]
        code.ymm.vmovupsStore(at(base, row * stride + half * HALF_BYTES), ROWS.sums + row)
      }
    }
  }
  if (!isSwiglu) return
  const table = emitExpConstants(code, exp, 0)
  for (let row = 0; row < rows; row++) {
    const result = at(RDX, row * shape.n * 4)
    code.lanes.load(0, result)
    code.lanes.load(1, at(RSP, row * VECTOR_BYTES))
    emitGate(code, { gate: 0, up: 1, work: GATE_WORK, constants: table })
    code.lanes.store(result, 0)
  }
  code.addNumber(RSP, rows * VECTOR_BYTES)
}

interface HalfPlace {
  readonly constants: BlockConstants
  /** Of the panel. */
  readonly offset: number
  readonly half: number
}

/** Every row times 8 columns. */
function emitHalf(
  code: Assembler,
  tile: Tile,
  shape: MatmulShape,
  { constants, offset, half }: HalfPlace,
): void {
  const { ymm } = code
  const { rows } = tile
  const next = code.label()
  const places = (group: number): number => group
  code.mov(RSI, R9)
  code.mov(RDI, R10)
  code.lea(RAX, at(RDI, scalesOffset(shape)))
  for (let row = 0; row < rows; row++) ymm.vpxor(ROWS.sums + row, ROWS.sums + row, ROWS.sums + row)
  code.lea(R11, at(RDI, zerosOffset(shape)))
  code.movNumber(RCX, blocksOf(shape))
  code.bind(next)
  if (tile.isFirst && half === 0) emitPrefetch(code, offset, shape)
  for (const group of groupOrder(shape)) {
    emitGroup(code, shape, group, { constants, offset: offset + half * HALF_BYTES, places })
  }
  emitScales(code, shape, { offset, half, scales: ROWS.scales })
  for (let row = 0; row < rows; row++) {
    const zeros = at(R11, offset + half * HALF_COLUMNS)
    emitDot(code, shape, { ...ROWS, places, constants, zeros, row, rows })
    emitScaled(code, { ...ROWS, row, rows, to: ROWS.sums + row })
  }
  emitNextBlock(code, tile, shape)
  code.jumpIf('notEqual', next)
}

/** The scales of 8 columns. rax: those of the first panel. */
function emitScales(
  { ymm }: Assembler,
  shape: MatmulShape,
  { offset, half, scales }: { offset: number; half: number; scales: number },
): void {
  const place = at(RAX, offset + half * HALF_COLUMNS * shape.scaleBytes)
  if (shape.scaleBytes === 2) ymm.vcvtph2ps(scales, place)
  else ymm.vmovups(scales, place)
}

interface Scaled {
  readonly sum: number
  readonly scales: number
  readonly x: number
  readonly row: number
  readonly rows: number
  readonly to: number
}

/** A block is scaled once, by the scales of the weights and that of the row, and added. */
function emitScaled({ ymm }: Assembler, { sum, scales, x, row, rows, to }: Scaled): void {
  ymm.vcvtdq2ps(sum, sum)
  ymm.vmulps(sum, sum, scales)
  ymm.vpbroadcastd(x, at(RSI, rows * BLOCK + row * 4))
  ymm.vfmadd231ps(to, sum, x)
}

/** The flags say whether there is one. */
function emitNextBlock(code: Assembler, { rows }: Tile, shape: MatmulShape): void {
  code.addNumber(RSI, rows * ROW_BLOCK_BYTES)
  code.addNumber(RDI, blockCodeBytes(shape))
  code.addNumber(RAX, blockScaleBytes(shape))
  if (shape.hasZeros) code.addNumber(R11, blockZeroBytes(shape))
  code.subNumber(RCX, 1)
}
