/** Calls of the C API from the code of a kernel: what it is given, what it makes, how its tasks are handed out. */
import type { Assembler } from '../x64/assembler.ts'
import type { Label } from '../x64/code-buffer.ts'
import { at, R8, R9, R12, RAX, RCX, RDI, RDX, RSI, RSP } from '../x64/registers.ts'

/** Addresses of functions of the C API. */
export interface KernelApi {
  readonly createStatus: bigint
  readonly getInput: bigint
  readonly getOutput: bigint
  readonly getData: bigint
  readonly getShape: bigint
  readonly parallelFor: bigint
}

/** Of an output. */
const MOST_DIMS = 8
/** OrtErrorCode. */
const INVALID_ARGUMENT = 2

/** Where in its frame, from rsp on, a kernel keeps what the API writes. Together `CALL_FRAME` bytes. */
interface CallFrame {
  readonly value: number
  readonly type: number
  readonly dims: number
  readonly dimCount: number
  /** Dimensions of an output, `MOST_DIMS` of them. */
  readonly outDims: number
}

export const CALL_FRAME = 32 + 8 * MOST_DIMS

export function callFrame(start: number): CallFrame {
  const [value, type, dims, dimCount, outDims] = [0, 8, 16, 24, 32].map((offset) => start + offset)
  return { value: value!, type: type!, dims: dims!, dimCount: dimCount!, outDims: outDims! }
}

/** What the code of a kernel needs to call the API; r12 holds the context, rsp its frame. */
export interface KernelCalls {
  readonly code: Assembler
  readonly api: KernelApi
  readonly frame: CallFrame
  /** Reached with a status in rax when a call failed. */
  readonly end: Label
}

/** Calls a function of the API. A status that is not null goes to `end`, in rax. */
function emitCall({ code, end }: KernelCalls, address: bigint): void {
  code.movNumber(RAX, address)
  code.callRegister(RAX)
  code.test(RAX, RAX)
  code.jumpIf('notEqual', end)
}

/** The address of an input goes to `field` of the frame; the place of its dimensions and their count are in the frame as well. */
export function emitInput(calls: KernelCalls, index: number, field: number): void {
  const { code, api, frame } = calls
  code.mov(RDI, R12)
  code.movNumber(RSI, index)
  code.lea(RDX, at(RSP, frame.value))
  emitCall(calls, api.getInput)
  emitData(calls, field)
  code.load(RDI, at(RSP, frame.value))
  code.lea(RSI, at(RSP, frame.type))
  code.lea(RDX, at(RSP, frame.dims))
  code.lea(RCX, at(RSP, frame.dimCount))
  emitCall(calls, api.getShape)
}

/** Dimensions that the input asked for last must have; `undefined`: any. Takes rax; r8: where they stand. */
export function emitDims(calls: KernelCalls, dims: readonly (number | undefined)[], isWrong: Label): void {
  const { code, frame } = calls
  code.load(RAX, at(RSP, frame.dimCount))
  code.cmpNumber(RAX, dims.length)
  code.jumpIf('notEqual', isWrong)
  code.load(R8, at(RSP, frame.dims))
  for (const [i, size] of dims.entries()) {
    if (size === undefined) continue
    code.load(RAX, at(R8, 8 * i))
    code.cmpNumber(RAX, size)
    code.jumpIf('notEqual', isWrong)
  }
}

interface RowDims {
  /** Becomes how many rows there are. */
  readonly rows: number
  /** The last dimension that the input must have, and what it becomes. */
  readonly from: number
  readonly to: number
}

/** Makes the dimensions of an output of the input asked for last, whose rows may stand in any. Takes rax, rcx, r8, r9. */
export function emitRowDims(calls: KernelCalls, { rows, from, to }: RowDims, isWrong: Label): void {
  const { code, frame } = calls
  const next = code.label()
  const last = code.label()
  code.load(RCX, at(RSP, frame.dimCount))
  code.cmpNumber(RCX, 1)
  code.jumpIf('less', isWrong)
  code.cmpNumber(RCX, MOST_DIMS + 1)
  code.jumpIf('greaterOrEqual', isWrong)
  code.load(R8, at(RSP, frame.dims))
  code.lea(R9, at(RSP, frame.outDims))
  code.movNumber(rows, 1)
  code.bind(next)
  code.load(RAX, at(R8))
  code.subNumber(RCX, 1)
  code.jumpIf('equal', last)
  code.store(at(R9), RAX)
  code.imul(rows, RAX)
  code.addNumber(R8, 8)
  code.addNumber(R9, 8)
  code.jump(next)
  code.bind(last)
  code.cmpNumber(RAX, from)
  code.jumpIf('notEqual', isWrong)
  code.movNumber(RAX, to)
  code.store(at(R9), RAX)
}

/** An output of `dimCount` dimensions, as they stand in the frame; its address goes to `field`. */
export function emitOutput(calls: KernelCalls, index: number, field: number): void {
  const { code, api, frame } = calls
  code.mov(RDI, R12)
  code.movNumber(RSI, index)
  code.lea(RDX, at(RSP, frame.outDims))
  code.load(RCX, at(RSP, frame.dimCount))
  code.lea(R8, at(RSP, frame.value))
  emitCall(calls, api.getOutput)
  emitData(calls, field)
}

function emitData(calls: KernelCalls, field: number): void {
  const { code, api, frame } = calls
  code.load(RDI, at(RSP, frame.value))
  code.lea(RSI, at(RSP, field))
  emitCall(calls, api.getData)
}

/** Hands out rdx tasks, `void (frame, index)`, to the threads of the session, and waits for them. */
export function emitShare(calls: KernelCalls, task: Label): void {
  const { code, api } = calls
  code.mov(RDI, R12)
  code.leaLabel(RSI, task)
  code.movNumber(RCX, 0)
  code.mov(R8, RSP)
  emitCall(calls, api.parallelFor)
}

/** One task on this thread. */
export function emitTask({ code }: KernelCalls, task: Label, index: number): void {
  code.mov(RDI, RSP)
  code.movNumber(RSI, index)
  code.call(task)
}

/** Makes rax the status of inputs that have other shapes. @param message address of what it says. */
export function emitWrongShape({ code, api }: KernelCalls, message: bigint): void {
  code.movNumber(RDI, INVALID_ARGUMENT)
  code.movNumber(RSI, message)
  code.movNumber(RAX, api.createStatus)
  code.callRegister(RAX)
}
