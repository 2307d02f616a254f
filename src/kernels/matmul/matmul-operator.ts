/** The entry of a matmul as an operator of ONNX Runtime: reads what it is given, asks for its outputs, hands out its tasks. */
import { FLOAT, UINT8 } from '../../onnx-file/fields.ts'
import { emitWithoutDenormals } from '../abi/denormals.ts'
import {
  CALL_FRAME,
  callFrame,
  emitDims,
  emitInput,
  emitOutput,
  emitRowDims,
  emitShare,
  emitTask,
  emitWrongShape,
  type KernelApi,
  type KernelCalls,
} from '../abi/kernel-calls.ts'
import type { OperatorKind } from '../abi/operator-code.ts'
import type { Assembler } from '../x64/assembler.ts'
import type { Label } from '../x64/code-buffer.ts'
import { emitExpData } from '../x64/exp-code.ts'
import { at, R12, RAX, RBP, RBX, RDI, RDX, RSI, RSP } from '../x64/registers.ts'
import { JOB } from './matmul-job.ts'
import {
  blocksOf,
  isMatmulShape,
  type MatmulShape,
  operatorName,
  packedDims,
  panelBytes,
  panelsOf,
  ROW_BLOCK_BYTES,
  tileRows,
} from './matmul-shape.ts'
import { emitRowsTask, emitRowTask, rowsTasks, rowTasks } from './multiply-code.ts'
import { emitQuantizeActivations } from './quantize-activations.ts'
import { emitBlockData } from './ymm-block.ts'

/** Below so many bytes of weights a row is not worth waking another thread. */
const INLINE_BYTES = 64_000
/** The frame: a job, then what the API writes, then how many dimensions the input has. */
const CALLS = callFrame(40)
const ROWS_DIMS = 40 + CALL_FRAME
/** With the saved registers and the return address a multiple of 16. */
const FRAME = 160
const SAVED = [RBX, RBP, R12]

interface Tasks {
  readonly quantize: Label
  readonly row: Label
  readonly rows: Label
}

/** A matmul as an operator. @throws RangeError for a shape that there is no code for. */
export function matmulKind(shape: MatmulShape): OperatorKind {
  // The code of any other would read and write beyond its memory.
  if (!isMatmulShape(shape)) throw new RangeError('matmul: a shape that there is no code for')
  return {
    name: operatorName(shape),
    inputs: [FLOAT, UINT8],
    outputs: [FLOAT, UINT8],
    emitCompute: (code, api, message) => emitCompute(code, shape, api, message),
  }
}

/**
 * `OrtStatus* (kernel, context)`. Inputs: fp32 [..., K], the weights as bytes. Outputs: fp32 [..., N], and the memory for the
 * quantized input, which nobody reads.
 * @param message address of what to say when the input has another shape.
 */
function emitCompute(code: Assembler, shape: MatmulShape, api: KernelApi, message: bigint): Label {
  const tasks = emitTasks(code, shape)
  const entry = code.label()
  const isWrong = code.label()
  const calls = { code, api, frame: CALLS, end: code.label() }
  code.bind(entry)
  for (const register of SAVED) code.push(register)
  code.subNumber(RSP, FRAME)
  code.mov(R12, RSI)
  emitInput(calls, 0, JOB.input)
  emitRowDims(calls, { rows: RBX, from: shape.k, to: shape.n }, isWrong)
  code.store(at(RSP, JOB.rows), RBX)
  code.load(RAX, at(RSP, CALLS.dimCount))
  code.store(at(RSP, ROWS_DIMS), RAX)
  emitInput(calls, 1, JOB.weights)
  // A file may name our operators itself, and give them less than they read.
  emitDims(calls, packedDims(shape), isWrong)
  code.load(RAX, at(RSP, ROWS_DIMS))
  code.store(at(RSP, CALLS.dimCount), RAX)
  emitOutput(calls, 0, JOB.output)
  code.movNumber(RAX, 0)
  code.test(RBX, RBX)
  code.jumpIf('equal', calls.end)
  code.imulNumber(RAX, RBX, ROW_BLOCK_BYTES * blocksOf(shape))
  code.store(at(RSP, CALLS.outDims), RAX)
  code.movNumber(RAX, 1)
  code.store(at(RSP, CALLS.dimCount), RAX)
  emitOutput(calls, 1, JOB.quantized)
  emitWork(calls, shape, tasks)
  code.bind(isWrong)
  emitWrongShape(calls, message)
  code.bind(calls.end)
  code.addNumber(RSP, FRAME)
  for (const register of SAVED.toReversed()) code.pop(register)
  code.ret()
  return entry
}

function emitTasks(code: Assembler, shape: MatmulShape): Tasks {
  const data = { exp: code.label(), blocks: code.label() }
  if (shape.isSwiglu) emitExpData(code, data.exp)
  if (code.isa !== 'avx512-vnni') emitBlockData(code, data.blocks)
  return {
    quantize: emitWithoutDenormals(code, emitQuantizeActivations(code, shape)),
    row: emitWithoutDenormals(code, emitRowTask(code, shape, data)),
    rows: emitWithoutDenormals(code, emitRowsTask(code, shape, data)),
  }
}

/** Quantizes the rows, and multiplies them; goes to the end with no status. */
function emitWork(calls: KernelCalls, shape: MatmulShape, tasks: Tasks): void {
  const { code, end } = calls
  const several = code.label()
  code.cmpNumber(RBX, 1)
  code.jumpIf('notEqual', several)
  emitTask(calls, tasks.quantize, 0)
  if (panelsOf(shape) * panelBytes(shape) <= INLINE_BYTES) emitAllTasks(code, tasks.row, rowTasks(shape))
  else {
    code.movNumber(RDX, rowTasks(shape))
    emitShare(calls, tasks.row)
  }
  code.movNumber(RAX, 0)
  code.jump(end)
  code.bind(several)
  code.lea(RDX, at(RBX, tileRows(code.isa) - 1))
  code.shr(RDX, Math.log2(tileRows(code.isa)))
  emitShare(calls, tasks.quantize)
  code.movNumber(RDX, rowsTasks(shape))
  emitShare(calls, tasks.rows)
  code.movNumber(RAX, 0)
  code.jump(end)
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
