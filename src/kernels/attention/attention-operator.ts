/** The entry of an attention as an operator of ONNX Runtime: reads what it is given, asks for its outputs, hands out its tasks. */

import { FLOAT, INT32, UINT8 } from '../../onnx-file/fields.ts'
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
import { at, R8, R12, RAX, RBP, RBX, RCX, RDI, RDX, RSI, RSP } from '../x64/registers.ts'
import { emitRowOutput, emitRowsTask, emitRowTask } from './attend-code.ts'
import { JOB, JOB_BYTES, type JobField } from './attention-job.ts'
import {
  type AttentionShape,
  attentionName,
  groupOf,
  headBytes,
  isAttentionShape,
  KEY_BLOCK,
  recordBytes,
  SEGMENT,
  tileQueries,
} from './attention-shape.ts'
import { emitRotateTask, ROTATE_ROWS } from './rotate-code.ts'
import { emitSegmentCode } from './segment-code.ts'

const CALLS = callFrame(JOB_BYTES)
/** Where the dimensions of the past are kept. */
const PAST_DIMS = JOB_BYTES + CALL_FRAME
/** With the saved registers and the return address a multiple of 16. */
const FRAME = 16 * Math.ceil((PAST_DIMS + 32) / 16)
const SAVED = [RBX, RBP, R12]

/** An attention as an operator. @throws RangeError for a shape that there is no code for. */
export function attentionKind(shape: AttentionShape): OperatorKind {
  if (!isAttentionShape(shape)) throw new RangeError('attention: a shape that there is no code for')
  const rows = Array.from({ length: shape.isPacked ? 1 : 3 }, () => FLOAT)
  return {
    name: attentionName(shape),
    inputs: [...rows, FLOAT, FLOAT, INT32, ...(shape.isRotated ? [FLOAT, FLOAT] : [])],
    outputs: [FLOAT, FLOAT, FLOAT, UINT8],
    emitCompute: (code, api, message) => emitCompute(code, shape, api, message),
  }
}

interface Tasks {
  readonly rotate: Label
  readonly row: Label
  readonly rowOutput: Label
  readonly rows: Label
}

/**
 * `OrtStatus* (kernel, context)`. Inputs: fp32 [1, rows, heads × headDim] of queries, then keys and values, or all three side by
 * side; the keys and values so far, fp32 [1, kvHeads, capacity, headDim]; how many there are with these less one, int32 [1, 1];
 * cosines and sines, fp32 [positions, headDim / 2]. Outputs: fp32 [1, rows, heads × headDim]; keys and values, which must be the
 * memory of those so far; memory for the work, which nobody reads.
 * @param message address of what to say when an input has another shape.
 */
function emitCompute(code: Assembler, shape: AttentionShape, api: KernelApi, message: bigint): Label {
  const segment = emitSegmentCode(code, shape)
  const tasks = {
    rotate: emitWithoutDenormals(code, emitRotateTask(code, shape)),
    row: emitWithoutDenormals(code, emitRowTask(code, shape, segment)),
    rowOutput: emitWithoutDenormals(code, emitRowOutput(code, shape, segment)),
    rows: emitWithoutDenormals(code, emitRowsTask(code, shape, segment)),
  }
  const entry = code.label()
  const isWrong = code.label()
  const calls = { code, api, frame: CALLS, end: code.label() }
  code.bind(entry)
  for (const register of SAVED) code.push(register)
  code.subNumber(RSP, FRAME)
  code.mov(R12, RSI)
  // rbx: rows
  const past = emitRowInputs(calls, shape, isWrong)
  emitPastInputs(calls, shape, { first: past, isWrong })
  emitAngleInputs(calls, shape, { first: past + 3, isWrong })
  emitRowsOutput(calls, shape)
  emitPastOutputs(calls, isWrong)
  code.movNumber(RAX, 0)
  code.test(RBX, RBX)
  code.jumpIf('equal', calls.end)
  emitWorkOutput(calls, shape)
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

/** Keys and values so far, and how many there are. */
function emitPastInputs(
  calls: KernelCalls,
  shape: AttentionShape,
  { first, isWrong }: { first: number; isWrong: Label },
): void {
  const { code } = calls
  const dims = [1, shape.kvHeads, undefined, shape.headDim]
  emitInput(calls, first, JOB.keys)
  emitDims(calls, dims, isWrong)
  for (let i = 0; i < dims.length; i++) {
    code.load(RAX, at(R8, 8 * i))
    code.store(at(RSP, PAST_DIMS + 8 * i), RAX)
  }
  emitInput(calls, first + 1, JOB.values)
  emitDims(calls, dims, isWrong)
  code.load(RAX, at(R8, 16))
  code.load(RBP, at(RSP, PAST_DIMS + 16))
  code.cmp(RAX, RBP)
  code.jumpIf('notEqual', isWrong)
  code.imulNumber(RAX, RBP, headBytes(shape))
  code.store(at(RSP, JOB.headStride), RAX)
  // Whole blocks.
  code.mov(RAX, RBP)
  code.shr(RAX, Math.log2(KEY_BLOCK))
  code.imulNumber(RAX, RAX, KEY_BLOCK)
  code.cmp(RAX, RBP)
  code.jumpIf('notEqual', isWrong)
  emitInput(calls, first + 2, JOB.total)
  emitTotal(calls, isWrong)
}

/** rax: all keys, of which the new rows are the last, and for which there is room. */
function emitTotal({ code, frame }: KernelCalls, isWrong: Label): void {
  const isOne = code.label()
  const next = code.label()
  code.load(R8, at(RSP, frame.dims))
  code.load(RCX, at(RSP, frame.dimCount))
  code.bind(next)
  code.test(RCX, RCX)
  code.jumpIf('equal', isOne)
  code.load(RAX, at(R8))
  code.cmpNumber(RAX, 1)
  code.jumpIf('notEqual', isWrong)
  code.addNumber(R8, 8)
  code.subNumber(RCX, 1)
  code.jump(next)
  code.bind(isOne)
  code.load(RAX, at(RSP, JOB.total))
  code.loadWord(RAX, at(RAX))
  code.addNumber(RAX, 1)
  code.store(at(RSP, JOB.total), RAX)
  // A negative number is a very large one here.
  code.cmp(RBP, RAX)
  code.jumpIf('below', isWrong)
  code.mov(RCX, RAX)
  code.sub(RCX, RBX)
  code.jumpIf('below', isWrong)
  code.store(at(RSP, JOB.past), RCX)
}

/** Cosines and sines of all positions up to the last. */
function emitAngleInputs(
  calls: KernelCalls,
  shape: AttentionShape,
  { first, isWrong }: { first: number; isWrong: Label },
): void {
  if (!shape.isRotated) return
  const { code } = calls
  for (const [i, field] of [JOB.cos, JOB.sin].entries()) {
    emitInput(calls, first + i, field)
    emitDims(calls, [undefined, shape.headDim / 2], isWrong)
    code.load(RAX, at(R8))
    code.load(RCX, at(RSP, JOB.total))
    code.cmp(RAX, RCX)
    code.jumpIf('less', isWrong)
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

/** Keys and values have to be appended where they are. */
function emitPastOutputs(calls: KernelCalls, isWrong: Label): void {
  const { code, frame } = calls
  for (let i = 0; i < 4; i++) {
    code.load(RAX, at(RSP, PAST_DIMS + 8 * i))
    code.store(at(RSP, frame.outDims + 8 * i), RAX)
  }
  code.movNumber(RAX, 4)
  code.store(at(RSP, frame.dimCount), RAX)
  for (const [i, field] of [JOB.keys, JOB.values].entries()) {
    emitOutput(calls, 1 + i, JOB.work)
    code.load(RAX, at(RSP, JOB.work))
    code.load(RCX, at(RSP, field))
    code.cmp(RAX, RCX)
    code.jumpIf('notEqual', isWrong)
  }
}

/** Memory for rotated queries, limits and, of a single row, records. */
function emitWorkOutput(calls: KernelCalls, shape: AttentionShape): void {
  const { code, frame } = calls
  const several = code.label()
  const step = (field: JobField): void => {
    code.store(at(RSP, JOB[field]), RBP)
  }
  // rbp: so many bytes so far
  code.movNumber(RBP, 0)
  step('queries')
  code.imulNumber(RAX, RBX, shape.heads * headBytes(shape))
  code.add(RBP, RAX)
  step('limits')
  code.imulNumber(RAX, RBX, 4 * groupOf(shape))
  code.add(RBP, RAX)
  code.addNumber(RBP, 63)
  code.shr(RBP, 6)
  code.imulNumber(RBP, RBP, 64)
  step('records')
  code.load(RAX, at(RSP, JOB.total))
  code.addNumber(RAX, SEGMENT - 1)
  code.shr(RAX, Math.log2(SEGMENT))
  code.store(at(RSP, JOB.segments), RAX)
  code.cmpNumber(RBX, 1)
  code.jumpIf('notEqual', several)
  code.imulNumber(RAX, RAX, shape.heads * recordBytes(shape))
  code.add(RBP, RAX)
  code.bind(several)
  code.store(at(RSP, frame.outDims), RBP)
  code.movNumber(RAX, 1)
  code.store(at(RSP, frame.dimCount), RAX)
  emitOutput(calls, 3, JOB.work)
  code.load(RCX, at(RSP, JOB.work))
  for (const field of ['queries', 'limits', 'records'] as const) {
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
  const hasRecords = code.label()
  code.cmpNumber(RBX, 1)
  code.jumpIf('notEqual', several)
  emitTask(calls, tasks.rotate, 0)
  code.load(RDX, at(RSP, JOB.segments))
  code.cmpNumber(RDX, 1)
  code.jumpIf('notEqual', shared)
  emitTask(calls, tasks.row, 0)
  code.jump(hasRecords)
  code.bind(shared)
  emitShare(calls, tasks.row)
  code.bind(hasRecords)
  code.mov(RDI, RSP)
  code.call(tasks.rowOutput)
  code.movNumber(RAX, 0)
  code.jump(end)
  code.bind(several)
  code.lea(RDX, at(RBX, ROTATE_ROWS - 1))
  code.shr(RDX, Math.log2(ROTATE_ROWS))
  emitShare(calls, tasks.rotate)
  emitTileCount(code, shape)
  emitShare(calls, tasks.rows)
  code.movNumber(RAX, 0)
  code.jump(end)
}

/** rdx: tiles of all queries of a head of keys. */
function emitTileCount(code: Assembler, shape: AttentionShape): void {
  const next = code.label()
  code.imulNumber(RCX, RBX, groupOf(shape))
  code.movNumber(RDX, 0)
  code.bind(next)
  code.addNumber(RDX, 1)
  code.subNumber(RCX, tileQueries(code.isa))
  code.cmpNumber(RCX, 1)
  code.jumpIf('greaterOrEqual', next)
}
