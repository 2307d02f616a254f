/** Rounds rows of fp32 to 8 bits a block, as a tile takes them. */
import type { Assembler } from '../x64/assembler.ts'
import type { Label } from '../x64/code-buffer.ts'
import { floatBits } from '../x64/exp-code.ts'
import { emitFold } from '../x64/fold-code.ts'
import { at, R8, R9, R10, R11, RAX, RBX, RCX, RDI, RDX, RSI } from '../x64/registers.ts'
import { JOB } from './matmul-job.ts'
import { BLOCK, blocksOf, type ProductShape, ROW_BLOCK_BYTES, TILE_ROWS } from './matmul-shape.ts'

const X = 0
const Y = 1
const LARGEST = 2
const OTHER = 3
const INVERSE = 4
const SCALE = 5
const SIGN_OFF = 6
const STEPS = 7
const STEP_SIZE = 8
const SMALLEST = 9
const ZERO = 10
const ORDER = 11

/** Of each eight numbers. */
const EVEN_THEN_ODD = [0, 8].flatMap((first) => [0, 2, 4, 6, 1, 3, 5, 7].map((place) => first + place))

/**
 * A task, `void (job, index)`: rounds the rows of tile `index`. The largest of a block becomes 127; halves go to the even
 * number. What is not finite makes a scale that is not, so it is seen in the result.
 */
export function emitRoundTask(code: Assembler, shape: ProductShape): Label {
  const entry = code.label()
  code.bind(entry)
  code.push(RBX)
  emitConstants(code)
  const order = code.label()
  if (shape.bits === 4) {
    code.leaLabel(RAX, order)
    code.vmovups(ORDER, at(RAX))
  }
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
  emitBlock(code, shape)
  code.addNumber(RSI, BLOCK * 4)
  for (const register of [RAX, RDI, R11]) code.add(register, RCX)
  code.subNumber(RBX, 1)
  code.jumpIf('notEqual', nextBlock)
  code.addNumber(R8, BLOCK)
  code.addNumber(R9, 4)
  code.addNumber(R10, 4)
  code.subNumber(RDX, 1)
  code.jumpIf('notEqual', nextRow)
  code.pop(RBX)
  code.vzeroupper()
  code.ret()
  code.align(64)
  code.bind(order)
  for (const place of EVEN_THEN_ODD) code.int32(place)
  return entry
}

function emitConstants(code: Assembler): void {
  const constants: readonly (readonly [number, number])[] = [
    [SIGN_OFF, 0x7fffffff],
    [STEPS, floatBits(127)],
    [STEP_SIZE, floatBits(1 / 127)],
    // Where all are zero nothing may be divided by it.
    [SMALLEST, floatBits(2 ** -100)],
  ]
  for (const [vector, value] of constants) {
    code.movNumber(RAX, value)
    code.vpbroadcastdRegister(vector, RAX)
  }
  code.vpxord(ZERO, ZERO, ZERO)
}

/** rdi: the job; rsi: which tile. */
function emitPlace(code: Assembler, shape: ProductShape): void {
  const isWhole = code.label()
  code.imulNumber(R9, RSI, TILE_ROWS)
  code.load(RDX, at(RDI, JOB.rows))
  code.sub(RDX, R9)
  code.cmpNumber(RDX, TILE_ROWS)
  code.jumpIf('less', isWhole)
  code.movNumber(RDX, TILE_ROWS)
  code.bind(isWhole)
  code.imulNumber(RCX, RDX, ROW_BLOCK_BYTES)
  code.imulNumber(R8, R9, ROW_BLOCK_BYTES * blocksOf(shape))
  code.load(RAX, at(RDI, JOB.rounded))
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
function emitBlock(code: Assembler, { bits }: ProductShape): void {
  code.vmovups(X, at(RSI))
  code.vmovups(Y, at(RSI, 64))
  // As whole numbers, what is no number is larger than what is infinite, and that than all others.
  code.vpandd(LARGEST, X, SIGN_OFF)
  code.vpandd(OTHER, Y, SIGN_OFF)
  code.vpmaxsd(LARGEST, LARGEST, OTHER)
  emitFold(code, LARGEST, OTHER, (a, b) => code.vpmaxsd(a, a, b))
  code.vpmaxsd(LARGEST, LARGEST, SMALLEST)
  code.vdivps(INVERSE, STEPS, LARGEST)
  code.vmulps(SCALE, LARGEST, STEP_SIZE)
  for (const vector of [X, Y]) {
    code.vmulps(vector, vector, INVERSE)
    code.vcvtps2dq(vector, vector)
    if (bits === 4) code.vpermd(vector, ORDER, vector)
  }
  code.vpmovsdbStore(at(RAX), X)
  code.vpmovsdbStore(at(RAX, 16), Y)
  code.vmovssStore(at(RDI), SCALE)
  code.vpaddd(X, X, Y)
  emitFold(code, X, OTHER, (a, b) => code.vpaddd(a, a, b))
  // The zero point is half of what the bits can count.
  code.vpslld(X, X, bits - 1)
  code.vpsubd(X, ZERO, X)
  code.vmovssStore(at(R11), X)
}
