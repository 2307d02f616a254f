/** Quantizes rows of fp32 to 8 bits a block, as a tile takes them. */
import { floatBits } from '../numerics/exp.ts'
import type { Assembler } from '../x64/assembler.ts'
import type { Label } from '../x64/code-buffer.ts'
import type { Constant } from '../x64/lanes.ts'
import { at, R8, R9, R10, R11, RAX, RBP, RBX, RCX, RDI, RDX, RSI } from '../x64/registers.ts'
import { JOB } from './matmul-job.ts'
import { BLOCK, blocksOf, type MatmulShape, ROW_BLOCK_BYTES, tileRows } from './matmul-shape.ts'

const X = 0
const Y = 1
const LARGEST = 2
const OTHER = 3
const SCALE = 4
const ORDER = 5
/** Of vectors that may hold constants. */
const FIRST_CONSTANT = 8

/** Of each eight numbers. */
const EVEN_THEN_ODD = [0, 8].flatMap((first) => [0, 2, 4, 6, 1, 3, 5, 7].map((place) => first + place))

const CONSTANTS = {
  signOff: 0x7fffffff,
  steps: floatBits(127),
  stepSize: floatBits(1 / 127),
  // Where all are zero nothing may be divided by it.
  smallest: floatBits(2 ** -100),
}
type Constants = Readonly<Record<keyof typeof CONSTANTS, Constant>>

/**
 * A task, `void (job, index)`: quantizes the activations, the rows of tile `index`. The largest of a block becomes 127; halves go to the even
 * number. What is not finite makes a scale that is no number, so it is seen in the result.
 */
export function emitQuantizeActivations(code: Assembler, shape: MatmulShape): Label {
  const entry = code.label()
  const [table, order] = [code.label(), code.label()]
  code.bind(entry)
  code.push(RBX)
  code.push(RBP)
  if (shape.bits === 4) {
    code.leaLabel(RAX, order)
    code.lanes.load(ORDER, at(RAX))
  }
  const constants = emitConstants(code, table)
  emitPlace(code, shape)
  // rdx: rows; rcx: from one block of a row to the next; rsi: input; r8: codes; r9: scales; r10: sums
  const nextRow = code.label()
  const nextBlock = code.label()
  code.bind(nextRow)
  code.mov(RAX, R8)
  code.mov(RDI, R9)
  code.mov(R11, R10)
  code.movNumber(RBX, blocksOf(shape))
  code.bind(nextBlock)
  emitBlock(code, shape, constants)
  code.addNumber(RSI, BLOCK * 4)
  for (const register of [RAX, RDI, R11]) code.add(register, RCX)
  code.subNumber(RBX, 1)
  code.jumpIf('notEqual', nextBlock)
  code.addNumber(R8, BLOCK)
  code.addNumber(R9, 4)
  code.addNumber(R10, 4)
  code.subNumber(RDX, 1)
  code.jumpIf('notEqual', nextRow)
  code.pop(RBP)
  code.pop(RBX)
  code.vzeroupper()
  code.ret()
  code.lanes.emitTable(table, Object.values(CONSTANTS))
  code.align(64)
  code.bind(order)
  for (const place of EVEN_THEN_ODD) code.int32(place)
  return entry
}

/** Takes rbp. */
function emitConstants(code: Assembler, table: Label): Constants {
  const names = Object.keys(CONSTANTS)
  const constants = code.lanes.useTable(table, names.length, { first: FIRST_CONSTANT, base: RBP })
  return Object.fromEntries(names.map((name, i) => [name, constants[i]!])) as Record<
    keyof typeof CONSTANTS,
    Constant
  >
}

/** rdi: the job; rsi: which tile. */
function emitPlace(code: Assembler, shape: MatmulShape): void {
  const isWhole = code.label()
  const most = tileRows(code.isa)
  code.imulNumber(R9, RSI, most)
  code.load(RDX, at(RDI, JOB.rows))
  code.sub(RDX, R9)
  code.cmpNumber(RDX, most)
  code.jumpIf('less', isWhole)
  code.movNumber(RDX, most)
  code.bind(isWhole)
  code.imulNumber(RCX, RDX, ROW_BLOCK_BYTES)
  code.imulNumber(R8, R9, ROW_BLOCK_BYTES * blocksOf(shape))
  code.load(RAX, at(RDI, JOB.quantized))
  code.add(R8, RAX)
  code.imulNumber(RSI, R9, 4 * shape.k)
  code.load(RAX, at(RDI, JOB.input))
  code.add(RSI, RAX)
  code.imulNumber(R9, RDX, BLOCK)
  code.add(R9, R8)
  code.imulNumber(R10, RDX, BLOCK + 4)
  code.add(R10, R8)
}

/** rsi: 32 numbers; rax, rdi, r11: where the codes, their scale and their sum go. */
function emitBlock(
  { lanes }: Assembler,
  { bits, hasZeros = false }: MatmulShape,
  constants: Constants,
): void {
  const { signOff, steps, stepSize, smallest } = constants
  lanes.load(X, at(RSI))
  lanes.load(Y, at(RSI, 64))
  // As whole numbers, what is no number is larger than what is infinite, and that than all others.
  lanes.and(LARGEST, X, signOff)
  lanes.and(OTHER, Y, signOff)
  lanes.maxInt(LARGEST, LARGEST, OTHER)
  lanes.fold(LARGEST, OTHER, (to, a, b) => lanes.maxInt(to, a, b))
  lanes.maxInt(LARGEST, LARGEST, smallest)
  lanes.mul(SCALE, LARGEST, stepSize)
  // Zero, or no number where the largest is infinite or none: what the codes are there is no matter.
  lanes.sub(OTHER, LARGEST, LARGEST)
  lanes.add(SCALE, SCALE, OTHER)
  lanes.storeFirst(at(RDI), SCALE)
  lanes.constant(OTHER, steps)
  lanes.div(LARGEST, OTHER, LARGEST)
  for (const vector of [X, Y]) {
    lanes.mul(vector, vector, LARGEST)
    lanes.toInt(vector, vector)
    if (bits === 4) lanes.permuteEights(vector, vector, ORDER)
  }
  lanes.storeBytes(at(RAX), X)
  lanes.storeBytes(at(RAX, 16), Y)
  lanes.addInt(X, X, Y)
  lanes.fold(X, OTHER, (to, a, b) => lanes.addInt(to, a, b))
  // The zero point is half of what the bits can count.
  if (!hasZeros) lanes.shiftLeft(X, X, bits - 1)
  lanes.zero(OTHER)
  lanes.subInt(X, OTHER, X)
  lanes.storeFirst(at(R11), X)
}
