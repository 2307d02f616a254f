/** The entry of a product as an operator of ONNX Runtime: reads what it is given, asks for its outputs, hands out its tasks. */
import type { Assembler } from '../machine-code/assembler.ts'
import type { Label } from '../machine-code/code-buffer.ts'
import { at, R8, R9, R12, RAX, RBP, RBX, RCX, RDI, RDX, RSI, RSP } from '../machine-code/registers.ts'
import { JOB } from './job.ts'
import { emitRowsTask, emitRowTask, rowsTasks, rowTasks } from './multiply-code.ts'
import {
  blocksOf,
  type ProductShape,
  packedDims,
  ROW_BLOCK_BYTES,
  stripBytes,
  stripsOf,
  TILE_ROWS,
} from './product-shape.ts'
import { emitRoundTask } from './round-code.ts'

/** Addresses of functions of the C API. */
export interface KernelApi {
  readonly createStatus: bigint
  readonly getInput: bigint
  readonly getOutput: bigint
  readonly getData: bigint
  readonly getShape: bigint
  readonly parallelFor: bigint
}

/** Below so many bytes of weights a row is not worth waking another thread. */
const INLINE_BYTES = 64_000
const MOST_DIMS = 8
/** The frame: a job, then what the API writes, then the dimensions of an output. */
const VALUE = 40
const TYPE = 48
const DIMS = 56
const DIM_COUNT = 64
const OUT_DIMS = 72
/** How many the input has. */
const ROWS_DIMS = OUT_DIMS + 8 * MOST_DIMS
/** With the saved registers and the return address a multiple of 16. */
const FRAME = 160
const SAVED = [RBX, RBP, R12]
/** OrtErrorCode. */
const INVALID_ARGUMENT = 2

interface Tasks {
  readonly round: Label
  readonly row: Label
  readonly rows: Label
}

/**
 * `OrtStatus* (kernel, context)`. Inputs: fp32 [..., K], the weights as bytes. Outputs: fp32 [..., N], and the memory for the
 * rounded input, which nobody reads.
 * @param message address of what to say when the input has another shape.
 */
export function emitCompute(code: Assembler, shape: ProductShape, api: KernelApi, message: bigint): Label {
  const tasks = {
    round: emitRoundTask(code, shape),
    row: emitRowTask(code, shape),
    rows: emitRowsTask(code, shape),
  }
  const entry = code.label()
  const end = code.label()
  const isWrong = code.label()
  code.bind(entry)
  for (const register of SAVED) code.push(register)
  code.subNumber(RSP, FRAME)
  code.mov(R12, RSI)
  const call = (address: bigint): void => emitCall(code, address, end)
  emitInput(code, api, { index: 0, field: JOB.input, call })
  emitShape(code, shape, isWrong)
  emitInput(code, api, { index: 1, field: JOB.weights, call })
  emitWeightCheck(code, shape, isWrong)
  code.load(RAX, at(RSP, ROWS_DIMS))
  code.store(at(RSP, DIM_COUNT), RAX)
  emitOutput(code, api, { index: 0, field: JOB.output, call })
  code.movNumber(RAX, 0)
  code.test(RBX, RBX)
  code.jumpIf('equal', end)
  code.imulNumber(RAX, RBX, ROW_BLOCK_BYTES * blocksOf(shape))
  code.store(at(RSP, OUT_DIMS), RAX)
  code.movNumber(RAX, 1)
  code.store(at(RSP, DIM_COUNT), RAX)
  emitOutput(code, api, { index: 1, field: JOB.rounded, call })
  emitWork(code, shape, tasks, { parallelFor: api.parallelFor, end })
  code.bind(isWrong)
  code.movNumber(RDI, INVALID_ARGUMENT)
  code.movNumber(RSI, message)
  code.movNumber(RAX, api.createStatus)
  code.callRegister(RAX)
  code.bind(end)
  code.addNumber(RSP, FRAME)
  for (const register of SAVED.toReversed()) code.pop(register)
  code.ret()
  return entry
}

/** Calls a function of the API; what is wrong ends the computation. */
function emitCall(code: Assembler, address: bigint, end: Label): void {
  code.movNumber(RAX, address)
  code.callRegister(RAX)
  code.test(RAX, RAX)
  code.jumpIf('notEqual', end)
}

interface ValueStep {
  readonly index: number
  /** Where in the job its address goes. */
  readonly field: number
  readonly call: (address: bigint) => void
}

/** The address of an input, and its shape. */
function emitInput(code: Assembler, api: KernelApi, { index, field, call }: ValueStep): void {
  code.mov(RDI, R12)
  code.movNumber(RSI, index)
  code.lea(RDX, at(RSP, VALUE))
  call(api.getInput)
  emitData(code, api, { index, field, call })
  code.load(RDI, at(RSP, VALUE))
  code.lea(RSI, at(RSP, TYPE))
  code.lea(RDX, at(RSP, DIMS))
  code.lea(RCX, at(RSP, DIM_COUNT))
  call(api.getShape)
}

function emitData(code: Assembler, api: KernelApi, { field, call }: ValueStep): void {
  code.load(RDI, at(RSP, VALUE))
  code.lea(RSI, at(RSP, field))
  call(api.getData)
}

/** Makes the dimensions of the output, and rbx how many rows there are. */
function emitShape(code: Assembler, shape: ProductShape, isWrong: Label): void {
  const next = code.label()
  const last = code.label()
  code.load(RCX, at(RSP, DIM_COUNT))
  code.cmpNumber(RCX, 1)
  code.jumpIf('less', isWrong)
  code.cmpNumber(RCX, MOST_DIMS + 1)
  code.jumpIf('greaterOrEqual', isWrong)
  code.load(R8, at(RSP, DIMS))
  code.lea(R9, at(RSP, OUT_DIMS))
  code.movNumber(RBX, 1)
  code.bind(next)
  code.load(RAX, at(R8))
  code.subNumber(RCX, 1)
  code.jumpIf('equal', last)
  code.store(at(R9), RAX)
  code.imul(RBX, RAX)
  code.addNumber(R8, 8)
  code.addNumber(R9, 8)
  code.jump(next)
  code.bind(last)
  code.cmpNumber(RAX, shape.k)
  code.jumpIf('notEqual', isWrong)
  code.movNumber(RAX, shape.n)
  code.store(at(R9), RAX)
  code.store(at(RSP, JOB.rows), RBX)
  code.load(RAX, at(RSP, DIM_COUNT))
  code.store(at(RSP, ROWS_DIMS), RAX)
}

/** A file may name our operators itself, and give them less than they read. */
function emitWeightCheck(code: Assembler, shape: ProductShape, isWrong: Label): void {
  const dims = packedDims(shape)
  code.load(RCX, at(RSP, DIM_COUNT))
  code.cmpNumber(RCX, dims.length)
  code.jumpIf('notEqual', isWrong)
  code.load(R8, at(RSP, DIMS))
  for (const [i, size] of dims.entries()) {
    code.load(RAX, at(R8, 8 * i))
    code.cmpNumber(RAX, size)
    code.jumpIf('notEqual', isWrong)
  }
}

/** An output of the dimensions in the frame. */
function emitOutput(code: Assembler, api: KernelApi, step: ValueStep): void {
  code.mov(RDI, R12)
  code.movNumber(RSI, step.index)
  code.lea(RDX, at(RSP, OUT_DIMS))
  code.load(RCX, at(RSP, DIM_COUNT))
  code.lea(R8, at(RSP, VALUE))
  step.call(api.getOutput)
  emitData(code, api, step)
}

/** Rounds the rows, and multiplies them; goes to `end` with no status. */
function emitWork(
  code: Assembler,
  shape: ProductShape,
  tasks: Tasks,
  { parallelFor, end }: { parallelFor: bigint; end: Label },
): void {
  const several = code.label()
  const share = (task: Label): void => {
    code.mov(RDI, R12)
    code.leaLabel(RSI, task)
    code.movNumber(RCX, 0)
    code.mov(R8, RSP)
    emitCall(code, parallelFor, end)
  }
  code.cmpNumber(RBX, 1)
  code.jumpIf('notEqual', several)
  emitTask(code, tasks.round, 0)
  if (stripsOf(shape) * stripBytes(shape) <= INLINE_BYTES) emitAllTasks(code, tasks.row, rowTasks(shape))
  else {
    code.movNumber(RDX, rowTasks(shape))
    share(tasks.row)
  }
  code.movNumber(RAX, 0)
  code.jump(end)
  code.bind(several)
  code.lea(RDX, at(RBX, TILE_ROWS - 1))
  code.shr(RDX, Math.log2(TILE_ROWS))
  share(tasks.round)
  code.movNumber(RDX, rowsTasks(shape))
  share(tasks.rows)
  code.movNumber(RAX, 0)
  code.jump(end)
}

function emitTask(code: Assembler, task: Label, index: number): void {
  code.mov(RDI, RSP)
  code.movNumber(RSI, index)
  code.call(task)
}

/** One task after the other on this thread. */
function emitAllTasks(code: Assembler, task: Label, count: number): void {
  const next = code.label()
  code.movNumber(RBP, 0)
  code.bind(next)
  code.mov(RDI, RSP)
  code.mov(RSI, RBP)
  code.call(task)
  code.addNumber(RBP, 1)
  code.cmpNumber(RBP, count)
  code.jumpIf('notEqual', next)
}
