/** The task of an RMSNorm: some rows, each in two passes. */
import { floatBits } from '../numerics/exp.ts'
import type { Assembler } from '../x64/assembler.ts'
import type { Label } from '../x64/code-buffer.ts'
import type { Constant } from '../x64/lanes.ts'
import { at, R8, R9, R10, RAX, RBP, RBX, RCX, RDI, RDX, RSI } from '../x64/registers.ts'
import type { NormShape } from './norm-shape.ts'

/** What the tasks of one norm are given: offsets in a struct of eight-byte fields. */
export const JOB = { input: 0, residual: 8, weights: 16, output: 24, sum: 32, rows: 40 } as const
export const JOB_BYTES = 48

/** Rows of a task. */
export const NORM_ROWS = 8

const X = 0
const SQUARES = 1
const OTHER = 2
/** Of vectors that may hold constants. */
const FIRST_CONSTANT = 8
const VECTOR_BYTES = 64

interface Constants {
  readonly size: Constant
  readonly epsilon: Constant
  readonly one: Constant
}

/** A task, `void (job, index)`. */
export function emitNormTask(code: Assembler, shape: NormShape): Label {
  const entry = code.label()
  const table = code.label()
  const next = code.label()
  code.bind(entry)
  code.push(RBX)
  code.push(RBP)
  const constants = emitConstants(code, table)
  emitPlaces(code, shape)
  code.bind(next)
  emitSquares(code, shape)
  emitInverse(code, constants)
  emitScaled(code, shape)
  code.subNumber(RBX, 1)
  code.jumpIf('notEqual', next)
  code.pop(RBP)
  code.pop(RBX)
  code.vzeroupper()
  code.ret()
  code.lanes.emitTable(table, [shape.n, shape.epsilon, 1].map(floatBits))
  return entry
}

/** Takes rbp. */
function emitConstants(code: Assembler, table: Label): Constants {
  const [size, epsilon, one] = code.lanes.useTable(table, 3, { first: FIRST_CONSTANT, base: RBP })
  return { size: size!, epsilon: epsilon!, one: one! }
}

/** rbx: rows; rsi, rdx: the first row and its residual; r8, r9: where the result goes, and the sum; r10: the weights. */
function emitPlaces(code: Assembler, { n, hasResidual }: NormShape): void {
  const isWhole = code.label()
  code.imulNumber(RAX, RSI, NORM_ROWS)
  code.load(RBX, at(RDI, JOB.rows))
  code.sub(RBX, RAX)
  code.cmpNumber(RBX, NORM_ROWS)
  code.jumpIf('less', isWhole)
  code.movNumber(RBX, NORM_ROWS)
  code.bind(isWhole)
  code.imulNumber(RAX, RAX, 4 * n)
  const places = [
    [RSI, JOB.input],
    [R8, JOB.output],
    ...(hasResidual
      ? [
          [RDX, JOB.residual],
          [R9, JOB.sum],
        ]
      : []),
  ]
  for (const [register, field] of places) {
    code.load(register!, at(RDI, field!))
    code.add(register!, RAX)
  }
  code.load(R10, at(RDI, JOB.weights))
}

/** Squares of a row, summed up by lanes; what is normed stands at r9 then, or at rsi. */
function emitSquares(code: Assembler, { n, hasResidual }: NormShape): void {
  const { lanes } = code
  const next = code.label()
  lanes.zero(SQUARES)
  code.movNumber(RCX, n / 16)
  code.bind(next)
  lanes.load(X, at(RSI))
  if (hasResidual) {
    lanes.add(X, X, at(RDX))
    lanes.store(at(R9), X)
    code.addNumber(RDX, VECTOR_BYTES)
    code.addNumber(R9, VECTOR_BYTES)
  }
  lanes.fma(SQUARES, X, X)
  code.addNumber(RSI, VECTOR_BYTES)
  code.subNumber(RCX, 1)
  code.jumpIf('notEqual', next)
}

/** One over the root of the mean square. */
function emitInverse({ lanes }: Assembler, { size, epsilon, one }: Constants): void {
  lanes.fold(SQUARES, OTHER, (to, a, b) => lanes.add(to, a, b))
  lanes.div(SQUARES, SQUARES, size)
  lanes.add(SQUARES, SQUARES, epsilon)
  lanes.sqrt(SQUARES, SQUARES)
  lanes.constant(OTHER, one)
  lanes.div(SQUARES, OTHER, SQUARES)
}

function emitScaled(code: Assembler, { n, hasResidual }: NormShape): void {
  const { lanes } = code
  const next = code.label()
  code.movNumber(RCX, n / 16)
  code.lea(RAX, at(hasResidual ? R9 : RSI, -4 * n))
  code.bind(next)
  lanes.load(X, at(RAX))
  lanes.mul(X, X, SQUARES)
  lanes.mul(X, X, at(R10))
  lanes.store(at(R8), X)
  for (const register of [RAX, R8, R10]) code.addNumber(register, VECTOR_BYTES)
  code.subNumber(RCX, 1)
  code.jumpIf('notEqual', next)
  code.subNumber(R10, 4 * n)
}
