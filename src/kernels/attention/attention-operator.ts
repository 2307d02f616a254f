/** The entry of an attention as an operator of ONNX Runtime: reads what it is given, asks for its outputs, hands out its tasks. */

import { FLOAT, INT32, INT64, UINT8 } from '../../onnx-file/fields.ts'
import { emitWithoutDenormals } from '../abi/denormals.ts'
import {
  CALL_FRAME,
  callFrame,
  emitDims,
  emitInput,
  emitOutput,
  emitShare,
  emitTask,
  emitWrongShape,
  type KernelApi,
  type KernelCalls,
} from '../abi/kernel-calls.ts'
import type { OperatorKind } from '../abi/operator-code.ts'
import type { Assembler } from '../x64/assembler.ts'
import type { Label } from '../x64/code-buffer.ts'
import { at, R8, R12, R13, R14, R15, RAX, RBP, RBX, RCX, RDI, RDX, RSI, RSP } from '../x64/registers.ts'
import { JOB, JOB_BYTES, type JobField, PLACE_BYTES, TILE_BYTES } from './attention-job.ts'
import {
  type AttentionShape,
  attentionName,
  groupOf,
  headBytes,
  isAttentionShape,
  layerPageBytes,
  partialBytes,
  tileQueries,
} from './attention-shape.ts'
import { emitPartChecks, emitPlaces } from './part-code.ts'
import { emitRotateTask, ROTATE_ROWS } from './rotate-code.ts'
import { emitRowOutput, emitRowTask } from './row-task.ts'
import { emitSegmentCode } from './segment-code.ts'
import { emitTileTask } from './tile-task.ts'

const CALLS = callFrame(JOB_BYTES)
const SAVED = [RBX, RBP, R12, R13, R14, R15]
/** With the saved registers and the return address a multiple of 16. */
const FRAME = 16 * Math.ceil((JOB_BYTES + CALL_FRAME) / 16) + 8

/** An attention as an operator. @throws RangeError for a shape that there is no code for. */
export function attentionKind(shape: AttentionShape): OperatorKind {
  if (!isAttentionShape(shape)) throw new RangeError('attention: a shape that there is no code for')
  const rows = Array.from({ length: shape.isPacked ? 1 : 3 }, () => FLOAT)
  return {
    name: attentionName(shape),
    inputs: [...rows, UINT8, INT64, INT32, INT32, ...(shape.isRotated ? [FLOAT, FLOAT] : [])],
    outputs: [FLOAT, UINT8],
    emitCompute: (code, api, message) => emitCompute(code, shape, api, message),
  }
}

interface Tasks {
  readonly rotate: Label
  readonly row: Label
  readonly rowOutput: Label
  readonly tile: Label
}

/**
 * `OrtStatus* (kernel, context)`. Inputs: fp32 [1, rows, heads × headDim] of queries, then keys and values, or all three side by
 * side; the pages, bytes [pages, size of a page], which are written as well; where this layer begins in a page, int64 [1]; of
 * each sequence its rows, one or more, and the tokens before them, int32 [sequences, 2]; the pages of the sequences by their
 * numbers, those of one after those of the other, int32 [any number as large]; cosines and sines, fp32 [positions, headDim / 2].
 * Outputs: fp32 [1, rows, heads × headDim]; memory for the work, which nobody reads.
 * @param message address of what to say when an input has another shape.
 */
function emitCompute(code: Assembler, shape: AttentionShape, api: KernelApi, message: bigint): Label {
  const segment = emitSegmentCode(code, shape)
  const tasks = {
    rotate: emitWithoutDenormals(code, emitRotateTask(code, shape)),
    row: emitWithoutDenormals(code, emitRowTask(code, shape, segment)),
    rowOutput: emitWithoutDenormals(code, emitRowOutput(code, shape, segment)),
    tile: emitWithoutDenormals(code, emitTileTask(code, shape, segment)),
  }
  const entry = code.label()
  const isWrong = code.label()
  const calls = { code, api, frame: CALLS, end: code.label() }
  code.bind(entry)
  for (const register of SAVED) code.push(register)
  code.subNumber(RSP, FRAME)
  code.mov(R12, RSI)
  // rbx: rows
  const first = emitRowInputs(calls, shape, isWrong)
  emitPoolInputs(calls, shape, { first, isWrong })
  emitTableInputs(calls, { first: first + 2, isWrong })
  emitAngleInputs(calls, shape, { first: first + 4, isWrong })
  emitPartChecks(code, isWrong)
  emitRowsOutput(calls, shape)
  code.movNumber(RAX, 0)
  code.test(RBX, RBX)
  code.jumpIf('equal', calls.end)
  emitWorkOutput(calls, shape)
  emitPlaces(code, shape)
  emitWork(calls, shape, tasks)
  code.bind(isWrong)
  emitWrongShape(calls, message)
  code.bind(calls.end)
  code.addNumber(RSP, FRAME)
  for (const register of SAVED.toReversed()) code.pop(register)
  code.ret()
  return entry
}

/** Queries, keys and values of the new rows. Returns the number of the input after them. */
function emitRowInputs(calls: KernelCalls, shape: AttentionShape, isWrong: Label): number {
  const { code } = calls
  const { heads, kvHeads, headDim } = shape
  emitInput(calls, 0, JOB.query)
  emitDims(calls, [1, undefined, (shape.isPacked ? heads + 2 * kvHeads : heads) * headDim], isWrong)
  code.load(RBX, at(R8, 8))
  code.store(at(RSP, JOB.rows), RBX)
  if (shape.isPacked) {
    code.load(RAX, at(RSP, JOB.query))
    code.addNumber(RAX, heads * headBytes(shape))
    code.store(at(RSP, JOB.key), RAX)
    code.addNumber(RAX, kvHeads * headBytes(shape))
    code.store(at(RSP, JOB.value), RAX)
    return 1
  }
  for (const [i, field] of [JOB.key, JOB.value].entries()) {
    emitInput(calls, i + 1, field)
    emitDims(calls, [1, undefined, kvHeads * headDim], isWrong)
    code.load(RAX, at(R8, 8))
    code.cmp(RAX, RBX)
    code.jumpIf('notEqual', isWrong)
  }
  return 3
}

interface Inputs {
  readonly first: number
  readonly isWrong: Label
}

/** The pages, and which part of each is this layer's. */
function emitPoolInputs(calls: KernelCalls, shape: AttentionShape, { first, isWrong }: Inputs): void {
  const { code } = calls
  emitInput(calls, first, JOB.pool)
  emitDims(calls, [undefined, undefined], isWrong)
  emitDimTo(code, 0, JOB.poolPages)
  emitDimTo(code, 1, JOB.pageBytes)
  emitInput(calls, first + 1, JOB.layer)
  emitDims(calls, [1], isWrong)
  code.load(RAX, at(RSP, JOB.layer))
  code.load(RAX, at(RAX))
  // rcx: what a page has from there on
  code.load(RCX, at(RSP, JOB.pageBytes))
  code.cmp(RCX, RAX)
  // Unsigned compare: a negative offset fails as well.
  code.jumpIf('below', isWrong)
  code.sub(RCX, RAX)
  code.cmpNumber(RCX, layerPageBytes(shape))
  code.jumpIf('less', isWrong)
  code.load(RCX, at(RSP, JOB.pool))
  code.add(RCX, RAX)
  code.store(at(RSP, JOB.pool), RCX)
}

/** The sequences, and the table of their pages. */
function emitTableInputs(calls: KernelCalls, { first, isWrong }: Inputs): void {
  const { code } = calls
  emitInput(calls, first, JOB.parts)
  emitDims(calls, [undefined, 2], isWrong)
  emitDimTo(code, 0, JOB.partCount)
  emitInput(calls, first + 1, JOB.pages)
  emitDims(calls, [undefined], isWrong)
  emitDimTo(code, 0, JOB.pageCount)
}

/** A dimension of the input asked for last. */
function emitDimTo(code: Assembler, index: number, field: number): void {
  code.load(RAX, at(R8, 8 * index))
  code.store(at(RSP, field), RAX)
}

/** Positions are counted in 32 bits. */
const MOST_POSITIONS = 2 ** 31 - 1

/** Cosines and sines; how many positions have both. */
function emitAngleInputs(calls: KernelCalls, shape: AttentionShape, { first, isWrong }: Inputs): void {
  const { code } = calls
  code.movNumber(RAX, MOST_POSITIONS)
  code.store(at(RSP, JOB.positions), RAX)
  if (!shape.isRotated) return
  for (const [i, field] of [JOB.cos, JOB.sin].entries()) {
    const isMore = code.label()
    emitInput(calls, first + i, field)
    emitDims(calls, [undefined, shape.headDim / 2], isWrong)
    code.load(RAX, at(R8))
    code.load(RCX, at(RSP, JOB.positions))
    code.cmp(RAX, RCX)
    code.jumpIf('greaterOrEqual', isMore)
    code.store(at(RSP, JOB.positions), RAX)
    code.bind(isMore)
  }
}

function emitRowsOutput(calls: KernelCalls, { heads, headDim }: AttentionShape): void {
  const { code, frame } = calls
  code.movNumber(RAX, 1)
  code.store(at(RSP, frame.outDims), RAX)
  code.store(at(RSP, frame.outDims + 8), RBX)
  code.movNumber(RAX, heads * headDim)
  code.store(at(RSP, frame.outDims + 16), RAX)
  code.movNumber(RAX, 3)
  code.store(at(RSP, frame.dimCount), RAX)
  emitOutput(calls, 0, JOB.output)
}

/** Memory for rotated queries, limits, places, tiles and, of a single row, partials. */
function emitWorkOutput(calls: KernelCalls, shape: AttentionShape): void {
  const { code, frame } = calls
  const group = groupOf(shape)
  const several = code.label()
  const perRow: readonly [JobField, number][] = [
    ['queries', shape.heads * headBytes(shape)],
    ['limits', 4 * group],
    ['places', PLACE_BYTES],
    ['tiles', TILE_BYTES * Math.ceil(group / tileQueries(code.isa))],
  ]
  // rbp: so many bytes so far
  code.movNumber(RBP, 0)
  for (const [field, bytes] of perRow) {
    code.store(at(RSP, JOB[field]), RBP)
    code.imulNumber(RAX, RBX, bytes)
    code.add(RBP, RAX)
    code.addNumber(RBP, 63)
    code.shr(RBP, 6)
    code.imulNumber(RBP, RBP, 64)
  }
  code.store(at(RSP, JOB.partials), RBP)
  code.cmpNumber(RBX, 1)
  code.jumpIf('notEqual', several)
  code.load(RAX, at(RSP, JOB.segments))
  code.imulNumber(RAX, RAX, shape.heads * partialBytes(shape))
  code.add(RBP, RAX)
  code.bind(several)
  code.store(at(RSP, frame.outDims), RBP)
  code.movNumber(RAX, 1)
  code.store(at(RSP, frame.dimCount), RAX)
  emitOutput(calls, 1, JOB.work)
  code.load(RCX, at(RSP, JOB.work))
  for (const field of [...perRow.map(([name]) => name), 'partials'] as const) {
    code.load(RAX, at(RSP, JOB[field]))
    code.add(RAX, RCX)
    code.store(at(RSP, JOB[field]), RAX)
  }
}

/** Goes to the end with no status. */
function emitWork(calls: KernelCalls, shape: AttentionShape, tasks: Tasks): void {
  const { code, end } = calls
  const several = code.label()
  const shared = code.label()
  const hasPartials = code.label()
  code.cmpNumber(RBX, 1)
  code.jumpIf('notEqual', several)
  emitTask(calls, tasks.rotate, 0)
  code.load(RDX, at(RSP, JOB.segments))
  code.cmpNumber(RDX, 1)
  code.jumpIf('notEqual', shared)
  emitTask(calls, tasks.row, 0)
  code.jump(hasPartials)
  code.bind(shared)
  emitShare(calls, tasks.row)
  code.bind(hasPartials)
  code.mov(RDI, RSP)
  code.call(tasks.rowOutput)
  code.movNumber(RAX, 0)
  code.jump(end)
  code.bind(several)
  code.lea(RDX, at(RBX, ROTATE_ROWS - 1))
  code.shr(RDX, Math.log2(ROTATE_ROWS))
  emitShare(calls, tasks.rotate)
  code.load(RDX, at(RSP, JOB.tileCount))
  code.imulNumber(RDX, RDX, shape.kvHeads)
  emitShare(calls, tasks.tile)
  code.movNumber(RAX, 0)
  code.jump(end)
}
