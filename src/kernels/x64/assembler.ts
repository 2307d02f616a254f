/**
 * An assembler for the instructions that our kernels are made of: general registers of x86-64 here, vectors in `zmm` and `ymm`, and
 * what both have in common, for the instruction set of the kernels, in `lanes`. Names are those of Intel's Software Developer's
 * Manual (volume 2); operands stand in its order, the target first.
 */
import type { Isa } from '../isa.ts'
import { CodeBuffer, type Label } from './code-buffer.ts'
import type { Lanes } from './lanes.ts'
import { makeLanes } from './make-lanes.ts'
import { writeOperand } from './operand.ts'
import type { Memory, Source } from './registers.ts'
import { Ymm } from './ymm.ts'
import { Zmm } from './zmm.ts'

/** Conditions of a jump, by their number in the instruction. */
export const CONDITION = { below: 2, equal: 4, notEqual: 5, less: 12, greaterOrEqual: 13 } as const
export type Condition = keyof typeof CONDITION

export class Assembler extends CodeBuffer {
  readonly isa: Isa
  readonly zmm = new Zmm(this)
  readonly ymm = new Ymm(this)
  readonly lanes: Lanes

  constructor(isa: Isa) {
    super()
    this.isa = isa
    this.lanes = makeLanes(this)
  }

  // General registers, 64 bits

  push(register: number): void {
    if (register > 7) this.byte(0x41)
    this.byte(0x50 + (register & 7))
  }

  pop(register: number): void {
    if (register > 7) this.byte(0x41)
    this.byte(0x58 + (register & 7))
  }

  ret(): void {
    this.byte(0xc3)
  }

  mov(to: number, from: number): void {
    this.#plain([0x89], from, to)
  }

  /** A number of 64 bits. */
  movNumber(to: number, value: bigint | number): void {
    this.byte(0x48 | (to >> 3), 0xb8 + (to & 7))
    this.int64(BigInt(value))
  }

  load(to: number, from: Memory): void {
    this.#plain([0x8b], to, from)
  }

  store(to: Memory, from: number): void {
    this.#plain([0x89], from, to)
  }

  /** 32 bits; those above become zero. */
  loadWord(to: number, from: Memory): void {
    this.#word([0x8b], to, from)
  }

  storeWord(to: Memory, from: number): void {
    this.#word([0x89], from, to)
  }

  lea(to: number, from: Memory): void {
    this.#plain([0x8d], to, from)
  }

  /** The address of a label. */
  leaLabel(to: number, label: Label): void {
    this.byte(0x48 | ((to >> 3) << 2), 0x8d, ((to & 7) << 3) | 5)
    this.distanceTo(label)
  }

  add(to: number, from: number): void {
    this.#plain([0x01], from, to)
  }

  sub(to: number, from: number): void {
    this.#plain([0x29], from, to)
  }

  imul(to: number, from: number | Memory): void {
    this.#plain([0x0f, 0xaf], to, from)
  }

  /** to = from × value. */
  imulNumber(to: number, from: number, value: number): void {
    this.#plain([0x69], to, from)
    this.signed32(value)
  }

  addNumber(to: number, value: number): void {
    this.#group(0, to, value)
  }

  subNumber(to: number, value: number): void {
    this.#group(5, to, value)
  }

  cmp(a: number, b: number): void {
    this.#plain([0x39], b, a)
  }

  cmpNumber(a: number, value: number): void {
    this.#group(7, a, value)
  }

  /** Shifts the bits down, the sign is no bit. */
  shr(to: number, count: number): void {
    this.#plain([0xc1], 5, to)
    this.byte(count)
  }

  test(a: number, b: number): void {
    this.#plain([0x85], b, a)
  }

  jump(label: Label): void {
    this.byte(0xe9)
    this.distanceTo(label)
  }

  jumpIf(condition: Condition, label: Label): void {
    this.byte(0x0f, 0x80 | CONDITION[condition])
    this.distanceTo(label)
  }

  call(label: Label): void {
    this.byte(0xe8)
    this.distanceTo(label)
  }

  callRegister(register: number): void {
    if (register > 7) this.byte(0x41)
    this.byte(0xff, 0xd0 | (register & 7))
  }

  /** The upper halves of the vectors are zero: code with older instructions is slow otherwise. */
  vzeroupper(): void {
    this.byte(0xc5, 0xf8, 0x77)
  }

  /** Asks for the 64 bytes there to be brought near; no address is wrong. */
  prefetch(from: Memory): void {
    this.#word([0x0f, 0x18], 1, from)
  }

  /** How fp32 is rounded and what becomes of denormal numbers, from memory. */
  ldmxcsr(from: Memory): void {
    this.#word([0x0f, 0xae], 2, from)
  }

  stmxcsr(to: Memory): void {
    this.#word([0x0f, 0xae], 3, to)
  }

  // Encoding

  /** An instruction of two operands in general registers: `register` in the field of that name. */
  #plain(opcode: readonly number[], register: number, operand: Source): void {
    const base = typeof operand === 'number' ? operand : operand.base
    this.byte(0x48 | ((register >> 3) << 2) | (base >> 3), opcode[0]!, opcode[1])
    writeOperand(this, register, operand, 1)
  }

  #word(opcode: readonly number[], register: number, operand: Memory): void {
    const high = ((register >> 3) << 2) | (operand.base >> 3)
    if (high !== 0) this.byte(0x40 | high)
    this.byte(opcode[0]!, opcode[1])
    writeOperand(this, register, operand, 1)
  }

  #group(digit: number, register: number, value: number): void {
    this.#plain([0x81], digit, register)
    this.signed32(value)
  }
}
