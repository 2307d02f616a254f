/** The entry of an RMSNorm as an operator of ONNX Runtime: reads what it is given, asks for its outputs, hands out its tasks. */
import { FLOAT } from '../../onnx-file/fields.ts'
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
} from '../abi/kernel-calls.ts'
import type { OperatorKind } from '../abi/operator-code.ts'
import type { Assembler } from '../x64/assembler.ts'
import type { Label } from '../x64/code-buffer.ts'
import { at, R12, RAX, RBP, RBX, RDX, RSI, RSP } from '../x64/registers.ts'
import { emitNormTask, JOB, JOB_BYTES, NORM_ROWS } from './norm-code.ts'
import { isNormShape, type NormShape, normName } from './norm-shape.ts'

/** The frame: a job, then what the API writes, then how many dimensions the input has. */
const CALLS = callFrame(JOB_BYTES)
const ROWS_DIMS = JOB_BYTES + CALL_FRAME
/** With the saved registers and the return address a multiple of 16. */
const FRAME = 160
const SAVED = [RBX, RBP, R12]

/** A norm as an operator. @throws RangeError for a shape that there is no code for. */
export function normKind(shape: NormShape): OperatorKind {
  if (!isNormShape(shape)) throw new RangeError('a norm that there is no code for')
  const rows = Array.from({ length: shape.hasResidual ? 2 : 1 }, () => FLOAT)
  return {
    name: normName(shape),
    inputs: [...rows, FLOAT],
    outputs: rows,
    emitCompute: (code, api, message) => emitCompute(code, shape, { api, message }),
  }
}

/**
 * `OrtStatus* (kernel, context)`. Inputs: fp32 [..., n], a residual of the same dimensions, weights [n]. Outputs: fp32 [..., n], and
 * the sum with the residual.
 * @param message address of what to say when an input has another shape.
 */
function emitCompute(
  code: Assembler,
  shape: NormShape,
  { api, message }: { readonly api: KernelApi; readonly message: bigint },
): Label {
  const { n, hasResidual } = shape
  const task = emitWithoutDenormals(code, emitNormTask(code, shape))
  const entry = code.label()
  const isWrong = code.label()
  const calls = { code, api, frame: CALLS, end: code.label() }
  code.bind(entry)
  for (const register of SAVED) code.push(register)
  code.subNumber(RSP, FRAME)
  code.mov(R12, RSI)
  if (hasResidual) {
    emitInput(calls, 1, JOB.residual)
    emitRowDims(calls, { rows: RBP, from: n, to: n }, isWrong)
  }
  emitInput(calls, hasResidual ? 2 : 1, JOB.weights)
  emitDims(calls, [n], isWrong)
  emitInput(calls, 0, JOB.input)
  emitRowDims(calls, { rows: RBX, from: n, to: n }, isWrong)
  if (hasResidual) {
    code.cmp(RBX, RBP)
    code.jumpIf('notEqual', isWrong)
  }
  code.store(at(RSP, JOB.rows), RBX)
  code.load(RAX, at(RSP, CALLS.dimCount))
  code.store(at(RSP, ROWS_DIMS), RAX)
  emitOutput(calls, 0, JOB.output)
  if (hasResidual) {
    code.load(RAX, at(RSP, ROWS_DIMS))
    code.store(at(RSP, CALLS.dimCount), RAX)
    emitOutput(calls, 1, JOB.sum)
  }
  emitWork(
    code,
    () => emitTask(calls, task, 0),
    () => emitShare(calls, task),
  )
  code.jump(calls.end)
  code.bind(isWrong)
  emitWrongShape(calls, message)
  code.bind(calls.end)
  code.addNumber(RSP, FRAME)
  for (const register of SAVED.toReversed()) code.pop(register)
  code.ret()
  return entry
}

/** rbx: rows. A few are not worth waking another thread. Makes rax no status. */
function emitWork(code: Assembler, here: () => void, shared: () => void): void {
  const several = code.label()
  const done = code.label()
  code.test(RBX, RBX)
  code.jumpIf('equal', done)
  code.cmpNumber(RBX, NORM_ROWS + 1)
  code.jumpIf('greaterOrEqual', several)
  here()
  code.jump(done)
  code.bind(several)
  code.lea(RDX, at(RBX, NORM_ROWS - 1))
  code.shr(RDX, Math.log2(NORM_ROWS))
  shared()
  code.bind(done)
  code.movNumber(RAX, 0)
}
