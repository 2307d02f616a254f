/** The tasks of a product: each multiplies all rows with some strips of the weights. */
import type { Assembler } from '../x64/assembler.ts'
import type { Label } from '../x64/code-buffer.ts'
import { at, R8, R12, R13, R14, R15, RAX, RBP, RBX, RDI, RDX, RSI } from '../x64/registers.ts'
import { emitTile } from './emit-tile.ts'
import { JOB } from './matmul-job.ts'
import {
  blocksOf,
  type ProductShape,
  ROW_BLOCK_BYTES,
  stripBytes,
  stripsOf,
  tileRows,
  turnStrips,
  VECTOR_BYTES,
} from './matmul-shape.ts'
import type { TileData } from './tile-code.ts'

/** Strips that one row is multiplied with at once: as many sums run side by side. */
const ROW_STRIPS = 4
/** Strips of a task for several rows. */
const TASK_STRIPS = 2

export const rowTasks = (shape: ProductShape): number => Math.ceil(stripsOf(shape) / ROW_STRIPS)
export const rowsTasks = (shape: ProductShape): number => Math.ceil(stripsOf(shape) / TASK_STRIPS)

/** A task, `void (job, index)`, for one row. @param data as a tile wants it. */
export function emitRowTask(code: Assembler, shape: ProductShape, data: TileData): Label {
  const entry = code.label()
  const rest = stripsOf(shape) % ROW_STRIPS
  const last = code.label()
  const end = code.label()
  code.bind(entry)
  emitStrips(code, shape, ROW_STRIPS)
  code.mov(R8, RSI)
  code.load(RSI, at(RDI, JOB.quantized))
  code.mov(RDI, RAX)
  if (rest > 0) {
    code.cmpNumber(R8, rowTasks(shape) - 1)
    code.jumpIf('equal', last)
  }
  emitTile(code, { rows: 1, strips: ROW_STRIPS, ...data }, shape)
  code.bind(end)
  code.vzeroupper()
  code.ret()
  if (rest === 0) return entry
  code.bind(last)
  emitTile(code, { rows: 1, strips: rest, ...data }, shape)
  code.jump(end)
  return entry
}

/** rdi: the job; rsi: the task. Makes rax its first strip and rdx where its results go. */
function emitStrips(code: Assembler, shape: ProductShape, strips: number): void {
  code.imulNumber(RDX, RSI, (strips / turnStrips(shape)) * VECTOR_BYTES)
  code.load(RAX, at(RDI, JOB.output))
  code.add(RDX, RAX)
  code.imulNumber(R8, RSI, strips * stripBytes(shape))
  code.load(RAX, at(RDI, JOB.weights))
  code.add(RAX, R8)
}

const SAVED = [RBX, RBP, R12, R13, R14, R15]

/** A task, `void (job, index)`, for several rows. @param data as a tile wants it. */
export function emitRowsTask(code: Assembler, shape: ProductShape, data: TileData): Label {
  const tiles = emitTiles(code, shape, data)
  const entry = code.label()
  // rbx: quantized rows; rbp: rows left; r12: the job; r13: strips; r14: their results; r15: turns left
  const nextTurn = code.label()
  const nextTile = code.label()
  const tail = code.label()
  const done = code.label()
  code.bind(entry)
  for (const register of SAVED) code.push(register)
  code.mov(R12, RDI)
  emitTurnCount(code, shape)
  emitStrips(code, shape, TASK_STRIPS)
  code.mov(R13, RAX)
  code.mov(R14, RDX)
  code.bind(nextTurn)
  code.load(RBX, at(R12, JOB.quantized))
  code.load(RBP, at(R12, JOB.rows))
  code.mov(RDX, R14)
  code.bind(nextTile)
  code.cmpNumber(RBP, tileRows(code.isa))
  code.jumpIf('less', tail)
  emitTileCall(code, tiles.at(-1)!)
  code.addNumber(RBX, tileRows(code.isa) * ROW_BLOCK_BYTES * blocksOf(shape))
  code.addNumber(RDX, tileRows(code.isa) * shape.n * 4)
  code.subNumber(RBP, tileRows(code.isa))
  code.jump(nextTile)
  code.bind(tail)
  emitTail(code, tiles, done)
  code.bind(done)
  code.addNumber(R13, turnStrips(shape) * stripBytes(shape))
  code.addNumber(R14, VECTOR_BYTES)
  code.subNumber(R15, 1)
  code.jumpIf('notEqual', nextTurn)
  for (const register of SAVED.toReversed()) code.pop(register)
  code.vzeroupper()
  code.ret()
  return entry
}

/** Tiles of 1 to `TILE_ROWS` rows, as functions of their own. */
function emitTiles(code: Assembler, shape: ProductShape, data: TileData): Label[] {
  return Array.from({ length: tileRows(code.isa) }, (_, i) => {
    code.align(VECTOR_BYTES)
    const label = code.label()
    code.bind(label)
    emitTile(code, { rows: i + 1, strips: turnStrips(shape), ...data }, shape)
    code.ret()
    return label
  })
}

/** r15: how many times task rsi takes a turn of strips; the last may do so fewer times. */
function emitTurnCount(code: Assembler, shape: ProductShape): void {
  const rest = stripsOf(shape) % TASK_STRIPS
  const isWhole = code.label()
  code.movNumber(R15, TASK_STRIPS / turnStrips(shape))
  if (rest > 0) {
    code.cmpNumber(RSI, rowsTasks(shape) - 1)
    code.jumpIf('notEqual', isWhole)
    code.movNumber(R15, rest / turnStrips(shape))
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
  for (let rows = 1; rows < tiles.length; rows++) {
    const other = code.label()
    code.cmpNumber(RBP, rows)
    code.jumpIf('notEqual', other)
    emitTileCall(code, tiles[rows - 1]!)
    code.jump(done)
    code.bind(other)
  }
}
