/**
 * Many rows times panels with AVX2, where unpacking codes of 4 bits for every tile would take an eighth of the time: some blocks of a
 * panel are unpacked at once, near the processor, and up to 128 rows are multiplied with them before the next ones. What they add
 * up to waits beside them.
 */
import type { Assembler } from '../x64/assembler.ts'
import type { Label } from '../x64/code-buffer.ts'
import { emitExpConstants } from '../x64/exp-code.ts'
import { at, R9, R10, R11, R12, R13, R14, RAX, RBP, RBX, RCX, RDI, RDX, RSI, RSP } from '../x64/registers.ts'
import { JOB } from './matmul-job.ts'
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
import { emitGate, emitPrefetch, type TileData } from './tile-code.ts'
import { emitBlockConstants } from './ymm-block.ts'
import { emitAligned, packedWeights } from './ymm-rows.ts'
import { emitRowsBlock, MOST_ROWS, NIBBLE } from './ymm-rows-block.ts'
import { emitUnpackedBlock, unpackedBytes, unpackedWeights } from './ymm-unpacked.ts'

/** Rows for which it pays. */
export const MANY_ROWS = 24
/** Rows that the same unpacked blocks serve. */
const SPAN_ROWS = 128
const SPAN_BYTES = SPAN_ROWS * VECTOR_BYTES
/** Blocks that are unpacked at once. */
const UNPACKED_BLOCKS = 32

/** On the stack: where the next packed blocks are, how many; those that are unpacked, those before them; where results go. */
const FRAME = { codes: 0, scales: 8, zeros: 16, left: 24, count: 32, before: 40, results: 48 } as const
const FRAME_BYTES = VECTOR_BYTES
/** From r9 on: what rows of a span add up to, panel after panel, and the unpacked blocks. */
const blocksOffset = (shape: MatmulShape): number => turnPanels(shape) * SPAN_BYTES
const areaBytes = (shape: MatmulShape): number =>
  blocksOffset(shape) + UNPACKED_BLOCKS * unpackedBytes(shape) + VECTOR_BYTES

/** Whether there is code for many rows. */
export const hasManyRows = ({ isa }: Assembler, { bits }: MatmulShape): boolean =>
  isa === 'avx2' && bits === 4

interface Tiles {
  /** Four rows, the first: what is to be unpacked next is asked for. */
  readonly first: Label
  /** 1 to 4 rows. */
  readonly rows: readonly Label[]
}

/**
 * A function that multiplies all rows with a turn of panels. r12: the job; r13: the first panel; r14: where the results go. Takes all
 * other registers but r15. @param data as a tile wants it.
 */
export function emitManyRows(code: Assembler, shape: MatmulShape, data: TileData): Label {
  const tiles = emitTiles(code, shape, data)
  const entry = code.label()
  const nextSpan = code.label()
  code.bind(entry)
  code.subNumber(RSP, FRAME_BYTES + areaBytes(shape))
  emitAligned(code, R9, FRAME_BYTES)
  // rbx: the quantized rows of the span; rbp: rows left
  code.load(RBX, at(R12, JOB.quantized))
  code.load(RBP, at(R12, JOB.rows))
  code.store(at(RSP, FRAME.results), R14)
  code.bind(nextSpan)
  for (let panel = 0; panel < turnPanels(shape); panel++) emitPanel(code, shape, { panel, tiles, data })
  emitResults(code, shape, data)
  code.addNumber(RBX, SPAN_ROWS * ROW_BLOCK_BYTES * blocksOf(shape))
  code.subNumber(RBP, SPAN_ROWS)
  code.cmpNumber(RBP, 1)
  code.jumpIf('greaterOrEqual', nextSpan)
  code.addNumber(RSP, FRAME_BYTES + areaBytes(shape))
  code.ret()
  return entry
}

function emitTiles(code: Assembler, shape: MatmulShape, data: TileData): Tiles {
  const tile = (rows: number, isFirst: boolean): Label => {
    code.align(VECTOR_BYTES)
    const label = code.label()
    code.bind(label)
    emitTile(code, shape, { rows, isFirst, data })
    code.ret()
    return label
  }
  const rows = Array.from({ length: MOST_ROWS }, (_, i) => tile(i + 1, false))
  return { first: tile(MOST_ROWS, true), rows }
}

/** Rows times unpacked blocks. rsi: the rows; rdi: the blocks; rcx: how many; r10: what they are added to; rax: packed ones to come. */
function emitTile(
  code: Assembler,
  shape: MatmulShape,
  { rows, isFirst, data }: { rows: number; isFirst: boolean; data: TileData },
): void {
  const next = code.label()
  const constants = emitBlockConstants(code, data.blocks)
  code.bind(next)
  if (isFirst) emitPrefetch(code, at(RAX), shape)
  emitRowsBlock(code, shape, { rows, weights: unpackedWeights(code, shape), results: 0, constants })
  code.addNumber(RSI, rows * ROW_BLOCK_BYTES)
  code.addNumber(RDI, unpackedBytes(shape))
  if (isFirst) code.addNumber(RAX, blockCodeBytes(shape))
  code.subNumber(RCX, 1)
  code.jumpIf('notEqual', next)
}

interface Place {
  /** Of the turn. */
  readonly panel: number
  readonly tiles: Tiles
  readonly data: TileData
}

/** The rows of the span times a panel. */
function emitPanel(code: Assembler, shape: MatmulShape, place: Place): void {
  const nextZero = code.label()
  const nextBlocks = code.label()
  emitSpanRows(code, RCX)
  code.lea(R10, at(R9, place.panel * SPAN_BYTES))
  code.lanes.zero(0)
  code.bind(nextZero)
  code.lanes.store(at(R10), 0)
  code.addNumber(R10, VECTOR_BYTES)
  code.subNumber(RCX, 1)
  code.jumpIf('notEqual', nextZero)
  const codes = place.panel * panelBytes(shape)
  for (const [field, offset] of [
    [FRAME.codes, codes],
    [FRAME.scales, codes + scalesOffset(shape)],
    [FRAME.zeros, codes + zerosOffset(shape)],
  ] as const) {
    code.lea(RAX, at(R13, offset))
    code.store(at(RSP, field), RAX)
  }
  code.movNumber(RAX, blocksOf(shape))
  code.store(at(RSP, FRAME.left), RAX)
  code.movNumber(RAX, 0)
  code.store(at(RSP, FRAME.before), RAX)
  code.bind(nextBlocks)
  emitUnpack(code, shape, place.data)
  emitSpan(code, shape, place)
  code.load(RCX, at(RSP, FRAME.count))
  code.load(RAX, at(RSP, FRAME.before))
  code.add(RAX, RCX)
  code.store(at(RSP, FRAME.before), RAX)
  code.load(RAX, at(RSP, FRAME.left))
  code.sub(RAX, RCX)
  code.store(at(RSP, FRAME.left), RAX)
  code.test(RAX, RAX)
  code.jumpIf('notEqual', nextBlocks)
}

/** How many rows the span has. */
function emitSpanRows(code: Assembler, to: number): void {
  const isWhole = code.label()
  code.movNumber(to, SPAN_ROWS)
  code.cmp(RBP, to)
  code.jumpIf('greaterOrEqual', isWhole)
  code.mov(to, RBP)
  code.bind(isWhole)
}

/** Unpacks the next blocks. */
function emitUnpack(code: Assembler, shape: MatmulShape, data: TileData): void {
  const isFew = code.label()
  const next = code.label()
  const { ymm } = code
  code.load(RCX, at(RSP, FRAME.left))
  code.cmpNumber(RCX, UNPACKED_BLOCKS)
  code.jumpIf('less', isFew)
  code.movNumber(RCX, UNPACKED_BLOCKS)
  code.bind(isFew)
  code.store(at(RSP, FRAME.count), RCX)
  const packed = [
    [RDI, FRAME.codes, blockCodeBytes(shape)],
    [RAX, FRAME.scales, blockScaleBytes(shape)],
    [R11, FRAME.zeros, blockZeroBytes(shape)],
  ] as const
  for (const [register, field] of packed) code.load(register, at(RSP, field))
  code.lea(R10, at(R9, blocksOffset(shape)))
  const constants = emitBlockConstants(code, data.blocks)
  ymm.vmovups(NIBBLE, constants.nibble)
  code.bind(next)
  emitUnpackedBlock(code, shape, packedWeights(code, shape, { ...constants, nibble: NIBBLE }))
  for (const [register, , bytes] of packed) code.addNumber(register, bytes)
  code.addNumber(R10, unpackedBytes(shape))
  code.subNumber(RCX, 1)
  code.jumpIf('notEqual', next)
  for (const [register, field] of packed) code.store(at(RSP, field), register)
}

/** The rows of the span times the unpacked blocks. */
function emitSpan(code: Assembler, shape: MatmulShape, { panel, tiles }: Place): void {
  const [next, hasNext, tail, done] = [code.label(), code.label(), code.label(), code.label()]
  // r11: the tile; rdx: rows left; r10: what they are added to
  code.mov(R11, RBX)
  emitSpanRows(code, RDX)
  code.lea(R10, at(R9, panel * SPAN_BYTES))
  code.cmpNumber(RDX, MOST_ROWS)
  code.jumpIf('less', tail)
  code.load(RAX, at(RSP, FRAME.codes))
  emitTileCall(code, shape, { rows: MOST_ROWS, tile: tiles.first })
  code.jump(hasNext)
  code.bind(next)
  code.cmpNumber(RDX, MOST_ROWS)
  code.jumpIf('less', tail)
  emitTileCall(code, shape, { rows: MOST_ROWS, tile: tiles.rows[MOST_ROWS - 1]! })
  code.bind(hasNext)
  code.addNumber(R11, MOST_ROWS * ROW_BLOCK_BYTES * blocksOf(shape))
  code.addNumber(R10, MOST_ROWS * VECTOR_BYTES)
  code.subNumber(RDX, MOST_ROWS)
  code.jump(next)
  code.bind(tail)
  for (let rows = 1; rows < MOST_ROWS; rows++) {
    const other = code.label()
    code.cmpNumber(RDX, rows)
    code.jumpIf('notEqual', other)
    emitTileCall(code, shape, { rows, tile: tiles.rows[rows - 1]! })
    code.jump(done)
    code.bind(other)
  }
  code.bind(done)
}

function emitTileCall(
  code: Assembler,
  shape: MatmulShape,
  { rows, tile }: { rows: number; tile: Label },
): void {
  code.load(RSI, at(RSP, FRAME.before))
  code.imulNumber(RSI, RSI, rows * ROW_BLOCK_BYTES)
  code.add(RSI, R11)
  code.lea(RDI, at(R9, blocksOffset(shape)))
  code.load(RCX, at(RSP, FRAME.count))
  code.call(tile)
}

/** What the rows of the span added up to, or SwiGLU of it, to where results go. */
function emitResults(code: Assembler, shape: MatmulShape, data: TileData): void {
  const next = code.label()
  const isSwiglu = turnPanels(shape) === 2
  emitSpanRows(code, RDX)
  code.mov(R10, R9)
  code.load(RDI, at(RSP, FRAME.results))
  const constants = isSwiglu ? emitExpConstants(code, data.exp, 0) : undefined
  code.bind(next)
  code.lanes.load(0, at(R10))
  if (constants !== undefined) {
    code.lanes.load(1, at(R10, SPAN_BYTES))
    emitGate(code, { gate: 0, up: 1, work: [4, 5, 6], constants })
  }
  code.lanes.store(at(RDI), 0)
  code.addNumber(R10, VECTOR_BYTES)
  code.addNumber(RDI, shape.n * 4)
  code.subNumber(RDX, 1)
  code.jumpIf('notEqual', next)
  code.store(at(RSP, FRAME.results), RDI)
}
