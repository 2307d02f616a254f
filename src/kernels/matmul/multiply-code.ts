/** The tasks of a matmul: each multiplies all rows with some panels of the weights. */
import type { Assembler } from '../x64/assembler.ts'
import type { Label } from '../x64/code-buffer.ts'
import { at, R8, R12, R13, R14, R15, RAX, RBP, RBX, RDI, RDX, RSI } from '../x64/registers.ts'
import { emitTile } from './emit-tile.ts'
import { JOB } from './matmul-job.ts'
import {
  blocksOf,
  type MatmulShape,
  panelBytes,
  panelsOf,
  ROW_BLOCK_BYTES,
  tileRows,
  turnPanels,
  VECTOR_BYTES,
} from './matmul-shape.ts'
import type { TileData } from './tile-code.ts'
import { emitManyRows, hasManyRows, MANY_ROWS } from './ymm-many-rows.ts'

/** Panels that one row is multiplied with at once: as many sums run side by side. */
const ROW_PANELS = 4
/** Panels of a task for several rows. */
const TASK_PANELS = 2

export const rowTasks = (shape: MatmulShape): number => Math.ceil(panelsOf(shape) / ROW_PANELS)
export const rowsTasks = (shape: MatmulShape): number => Math.ceil(panelsOf(shape) / TASK_PANELS)

/** A task, `void (job, index)`, for one row. @param data as a tile wants it. */
export function emitRowTask(code: Assembler, shape: MatmulShape, data: TileData): Label {
  const entry = code.label()
  const rest = panelsOf(shape) % ROW_PANELS
  const last = code.label()
  const end = code.label()
  code.bind(entry)
  emitPanels(code, shape, ROW_PANELS)
  code.mov(R8, RSI)
  code.load(RSI, at(RDI, JOB.quantized))
  code.mov(RDI, RAX)
  if (rest > 0) {
    code.cmpNumber(R8, rowTasks(shape) - 1)
    code.jumpIf('equal', last)
  }
  emitTile(code, { rows: 1, panels: ROW_PANELS, isFirst: true, ...data }, shape)
  code.bind(end)
  code.vzeroupper()
  code.ret()
  if (rest === 0) return entry
  code.bind(last)
  emitTile(code, { rows: 1, panels: rest, isFirst: true, ...data }, shape)
  code.jump(end)
  return entry
}

/** rdi: the job; rsi: the task. Makes rax its first panel and rdx where its results go. */
function emitPanels(code: Assembler, shape: MatmulShape, panels: number): void {
  code.imulNumber(RDX, RSI, (panels / turnPanels(shape)) * VECTOR_BYTES)
  code.load(RAX, at(RDI, JOB.output))
  code.add(RDX, RAX)
  code.imulNumber(R8, RSI, panels * panelBytes(shape))
  code.load(RAX, at(RDI, JOB.weights))
  code.add(RAX, R8)
}

const SAVED = [RBX, RBP, R12, R13, R14, R15]

/** A task, `void (job, index)`, for several rows. @param data as a tile wants it. */
export function emitRowsTask(code: Assembler, shape: MatmulShape, data: TileData): Label {
  const tiles = emitTiles(code, shape, data)
  const many = hasManyRows(code, shape) ? emitManyRows(code, shape, data) : undefined
  const entry = code.label()
  // rbx: quantized rows; rbp: rows left; r12: the job; r13: panels; r14: their results; r15: turns left
  const nextTurn = code.label()
  const nextTile = code.label()
  const hasNext = code.label()
  const tail = code.label()
  const done = code.label()
  code.bind(entry)
  for (const register of SAVED) code.push(register)
  code.mov(R12, RDI)
  emitTurnCount(code, shape)
  emitPanels(code, shape, TASK_PANELS)
  code.mov(R13, RAX)
  code.mov(R14, RDX)
  code.bind(nextTurn)
  code.load(RBX, at(R12, JOB.quantized))
  code.load(RBP, at(R12, JOB.rows))
  if (many !== undefined) emitIfMany(code, many, done)
  code.mov(RDX, R14)
  code.cmpNumber(RBP, tileRows(code.isa))
  code.jumpIf('less', tail)
  emitTileCall(code, tiles.first)
  code.jump(hasNext)
  code.bind(nextTile)
  code.cmpNumber(RBP, tileRows(code.isa))
  code.jumpIf('less', tail)
  emitTileCall(code, tiles.whole)
  code.bind(hasNext)
  code.addNumber(RBX, tileRows(code.isa) * ROW_BLOCK_BYTES * blocksOf(shape))
  code.addNumber(RDX, tileRows(code.isa) * shape.n * 4)
  code.subNumber(RBP, tileRows(code.isa))
  code.jump(nextTile)
  code.bind(tail)
  emitTail(code, tiles.parts, done)
  code.bind(done)
  code.addNumber(R13, turnPanels(shape) * panelBytes(shape))
  code.addNumber(R14, VECTOR_BYTES)
  code.subNumber(R15, 1)
  code.jumpIf('notEqual', nextTurn)
  for (const register of SAVED.toReversed()) code.pop(register)
  code.vzeroupper()
  code.ret()
  return entry
}

/** Many rows have a function of their own. rbp: the rows. */
function emitIfMany(code: Assembler, many: Label, done: Label): void {
  const areFew = code.label()
  code.cmpNumber(RBP, MANY_ROWS)
  code.jumpIf('less', areFew)
  code.call(many)
  code.jump(done)
  code.bind(areFew)
}

/** Functions for tiles of panels of a turn. */
interface Tiles {
  /** As many rows as fit, the first of all. */
  readonly first: Label
  /** As many after them. */
  readonly whole: Label
  /** 1, 2 and so on, but fewer: they are the last, and the weights of the next turn are asked for. */
  readonly parts: readonly Label[]
}

function emitTiles(code: Assembler, shape: MatmulShape, data: TileData): Tiles {
  const most = tileRows(code.isa)
  const tile = (rows: number, isFirst: boolean): Label => {
    code.align(VECTOR_BYTES)
    const label = code.label()
    code.bind(label)
    emitTile(code, { rows, panels: turnPanels(shape), isFirst, ...data }, shape)
    code.ret()
    return label
  }
  const parts = Array.from({ length: most - 1 }, (_, i) => tile(i + 1, true))
  return { first: tile(most, true), whole: tile(most, false), parts }
}

/** r15: how many times task rsi takes a turn of panels; the last may do so fewer times. */
function emitTurnCount(code: Assembler, shape: MatmulShape): void {
  const rest = panelsOf(shape) % TASK_PANELS
  const isWhole = code.label()
  code.movNumber(R15, TASK_PANELS / turnPanels(shape))
  if (rest > 0) {
    code.cmpNumber(RSI, rowsTasks(shape) - 1)
    code.jumpIf('notEqual', isWhole)
    code.movNumber(R15, rest / turnPanels(shape))
  }
  code.bind(isWhole)
}

function emitTileCall(code: Assembler, tile: Label): void {
  code.mov(RSI, RBX)
  code.mov(RDI, R13)
  code.call(tile)
}

/** The rows that are left, fewer than a whole tile. */
function emitTail(code: Assembler, tiles: readonly Label[], done: Label): void {
  for (let rows = 1; rows <= tiles.length; rows++) {
    const other = code.label()
    code.cmpNumber(RBP, rows)
    code.jumpIf('notEqual', other)
    emitTileCall(code, tiles[rows - 1]!)
    code.jump(done)
    code.bind(other)
  }
}
