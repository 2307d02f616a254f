/** New tokens: their queries are rotated and scaled, their keys rotated, keys and values written to their pages. */

import { floatBits } from '../numerics/exp.ts'
import type { Assembler } from '../x64/assembler.ts'
import type { Label } from '../x64/code-buffer.ts'
import {
  at,
  R8,
  R9,
  R10,
  R11,
  R12,
  R13,
  R14,
  R15,
  RAX,
  RBP,
  RBX,
  RCX,
  RDI,
  RDX,
  RSI,
  RSP,
} from '../x64/registers.ts'
import { JOB, PLACE, PLACE_BYTES } from './attention-job.ts'
import {
  type AttentionShape,
  groupOf,
  headBytes,
  headPageBytes,
  KEY_BLOCK,
  MOST_HEAD_DIM,
} from './attention-shape.ts'

/** Rows of a task. */
export const ROTATE_ROWS = 16

const SAVED = [RBX, RBP, R12, R13, R14, R15]
const BUFFER_BYTES = 4 * MOST_HEAD_DIM

const X = 0
const Y = 1
const NEW_X = 2
const NEW_Y = 3
const SCALE = 4
/** Where the cosines of a position are, and its sines. */
const COS = R8
const SIN = R9

/** A task, `void (job, index)`, for some rows. */
export function emitRotateTask(code: Assembler, shape: AttentionShape): Label {
  // A larger head would be written beyond the buffer on the stack.
  if (!(headBytes(shape) <= BUFFER_BYTES)) throw new RangeError(`attention: heads of ${shape.headDim}`)
  const entry = code.label()
  const nextRow = code.label()
  const isWhole = code.label()
  code.bind(entry)
  for (const register of SAVED) code.push(register)
  code.subNumber(RSP, BUFFER_BYTES)
  // rbx: the job; r12: the row; r13: the row after the last; r14: its position; r15: its place
  code.mov(RBX, RDI)
  code.imulNumber(R12, RSI, ROTATE_ROWS)
  code.lea(R13, at(R12, ROTATE_ROWS))
  code.load(RAX, at(RBX, JOB.rows))
  code.cmp(R13, RAX)
  code.jumpIf('less', isWhole)
  code.mov(R13, RAX)
  code.bind(isWhole)
  code.movNumber(RAX, floatBits(shape.scale))
  code.lanes.broadcastRegister(SCALE, RAX)
  code.bind(nextRow)
  code.imulNumber(R15, R12, PLACE_BYTES)
  code.load(RAX, at(RBX, JOB.places))
  code.add(R15, RAX)
  code.loadWord(R14, at(R15, PLACE.position))
  if (shape.isRotated) emitAngles(code, shape)
  emitQueries(code, shape)
  emitLimits(code, shape)
  emitKeys(code, shape)
  emitValues(code, shape)
  code.addNumber(R12, 1)
  code.cmp(R12, R13)
  code.jumpIf('less', nextRow)
  code.addNumber(RSP, BUFFER_BYTES)
  for (const register of SAVED.toReversed()) code.pop(register)
  code.vzeroupper()
  code.ret()
  return entry
}

function emitAngles(code: Assembler, shape: AttentionShape): void {
  code.imulNumber(RAX, R14, headBytes(shape) / 2)
  code.load(COS, at(RBX, JOB.cos))
  code.add(COS, RAX)
  code.load(SIN, at(RBX, JOB.sin))
  code.add(SIN, RAX)
}

/** The queries of all heads, to those of their group. */
function emitQueries(code: Assembler, shape: AttentionShape): void {
  const group = groupOf(shape)
  const bytes = headBytes(shape)
  const nextGroup = code.label()
  const nextHead = code.label()
  emitSource(code, shape, { field: JOB.query, heads: shape.heads })
  code.load(RDI, at(RBX, JOB.queries))
  code.imulNumber(RAX, R12, group * bytes)
  code.add(RDI, RAX)
  // r11: from the last query of one group to the first of the next
  code.load(R11, at(RBX, JOB.rows))
  code.subNumber(R11, 1)
  code.imulNumber(R11, R11, group * bytes)
  code.movNumber(RCX, shape.kvHeads)
  code.bind(nextGroup)
  code.movNumber(RDX, group)
  code.bind(nextHead)
  emitHead(code, shape, { to: RDI, isScaled: true })
  code.addNumber(RSI, bytes)
  code.addNumber(RDI, bytes)
  code.subNumber(RDX, 1)
  code.jumpIf('notEqual', nextHead)
  code.add(RDI, R11)
  code.subNumber(RCX, 1)
  code.jumpIf('notEqual', nextGroup)
}

/** A query sees the keys before it and its own. */
function emitLimits(code: Assembler, shape: AttentionShape): void {
  const group = groupOf(shape)
  code.load(RDI, at(RBX, JOB.limits))
  code.imulNumber(RAX, R12, 4 * group)
  code.add(RDI, RAX)
  code.lea(RAX, at(R14, 1))
  for (let i = 0; i < group; i++) code.storeWord(at(RDI, 4 * i), RAX)
}

/** To the lane of their place in the page. */
function emitKeys(code: Assembler, shape: AttentionShape): void {
  const bytes = headBytes(shape)
  const next = code.label()
  emitSource(code, shape, { field: JOB.key, heads: shape.kvHeads })
  // rax: blocks before it; r10: keys before its block; rdx: the lane
  code.loadWord(RDX, at(R15, PLACE.inPage))
  code.mov(RAX, RDX)
  code.shr(RAX, Math.log2(KEY_BLOCK))
  code.imulNumber(R10, RAX, KEY_BLOCK)
  code.sub(RDX, R10)
  code.imulNumber(RDX, RDX, 4)
  code.imulNumber(R10, R10, bytes)
  code.load(RDI, at(R15, PLACE.page))
  code.add(RDI, R10)
  code.add(RDI, RDX)
  code.movNumber(RCX, shape.kvHeads)
  code.bind(next)
  emitHead(code, shape, { to: RSP, isScaled: false })
  for (let d = 0; d < shape.headDim; d++) {
    code.loadWord(RAX, at(RSP, 4 * d))
    code.storeWord(at(RDI, 4 * KEY_BLOCK * d), RAX)
  }
  code.addNumber(RSI, bytes)
  code.addNumber(RDI, headPageBytes(shape))
  code.subNumber(RCX, 1)
  code.jumpIf('notEqual', next)
}

function emitValues(code: Assembler, shape: AttentionShape): void {
  const bytes = headBytes(shape)
  const next = code.label()
  emitSource(code, shape, { field: JOB.value, heads: shape.kvHeads })
  code.loadWord(R10, at(R15, PLACE.inPage))
  code.imulNumber(R10, R10, bytes)
  code.load(RDI, at(R15, PLACE.page))
  code.addNumber(RDI, headPageBytes(shape) / 2)
  code.add(RDI, R10)
  code.movNumber(RCX, shape.kvHeads)
  code.bind(next)
  for (let i = 0; i < bytes / 64; i++) {
    code.lanes.load(X, at(RSI, 64 * i))
    code.lanes.store(at(RDI, 64 * i), X)
  }
  code.addNumber(RSI, bytes)
  code.addNumber(RDI, headPageBytes(shape))
  code.subNumber(RCX, 1)
  code.jumpIf('notEqual', next)
}

/** rsi: this row of an input. */
function emitSource(
  code: Assembler,
  shape: AttentionShape,
  { field, heads }: { field: number; heads: number },
): void {
  const all = shape.isPacked ? shape.heads + 2 * shape.kvHeads : heads
  code.load(RSI, at(RBX, field))
  code.imulNumber(RAX, R12, all * headBytes(shape))
  code.add(RSI, RAX)
}

/** A head at rsi, rotated: x' = x cos − y sin, y' = y cos + x sin, with x and y the halves of the head. */
function emitHead(
  code: Assembler,
  shape: AttentionShape,
  { to, isScaled }: { to: number; isScaled: boolean },
): void {
  const { lanes } = code
  const half = headBytes(shape) / 2
  const put = (offset: number, vector: number): void => {
    if (isScaled) lanes.mul(vector, vector, SCALE)
    lanes.store(at(to, offset), vector)
  }
  if (!shape.isRotated) {
    for (let i = 0; i < shape.headDim / 16; i++) {
      lanes.load(X, at(RSI, 64 * i))
      put(64 * i, X)
    }
    return
  }
  for (let i = 0; i < shape.headDim / 32; i++) {
    const [cos, sin] = [at(COS, 64 * i), at(SIN, 64 * i)]
    lanes.load(X, at(RSI, 64 * i))
    lanes.load(Y, at(RSI, half + 64 * i))
    lanes.mul(NEW_X, X, cos)
    lanes.fnma(NEW_X, Y, sin)
    lanes.mul(NEW_Y, Y, cos)
    lanes.fma(NEW_Y, X, sin)
    put(64 * i, NEW_X)
    put(half + 64 * i, NEW_Y)
  }
}
