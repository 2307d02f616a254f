/**
 * An assembler for the instructions that our kernels are made of: x86-64 with AVX-512, as Intel's Software Developer's
 * Manual (volume 2) encodes them. Names are the manual's; operands stand in its order, the target first. A vector is a zmm
 * register unless said otherwise.
 */
import { CodeBuffer, type Label } from './code-buffer.ts'
import type { Memory } from './registers.ts'

/** Conditions of a jump, by their number in the instruction. */
export const CONDITION = { below: 2, equal: 4, notEqual: 5, less: 12, greaterOrEqual: 13 } as const
export type Condition = keyof typeof CONDITION

/** Opcode maps of EVEX. */
const MAP_0F = 1
const MAP_0F38 = 2
const MAP_0F3A = 3
/** Prefixes that EVEX and VEX hold in two bits. */
const NO_PREFIX = 0
const PREFIX_66 = 1
const PREFIX_F3 = 2

/** An instruction as EVEX names it. */
interface Evex {
  readonly map: number
  readonly prefix: number
  readonly opcode: number
  /** Bytes that one step of a short displacement stands for: 64, or the size of what is read. */
  readonly step?: number
  /** One number from memory for all lanes. */
  readonly isBroadcast?: boolean
  /** A mask register, 1 to 7: lanes whose bit is zero are not taken from what was computed. */
  readonly mask?: number
  /** 0: 128 bits, 1: 256, 2: 512. */
  readonly size?: number
}

/** A memory operand, or a vector register. */
export type Source = Memory | number

export class Assembler extends CodeBuffer {
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

  // Vectors

  vmovups(to: number, from: Memory): void {
    this.#evex({ map: MAP_0F, prefix: NO_PREFIX, opcode: 0x10 }, to, 0, from)
  }

  vmovupsStore(to: Memory, from: number): void {
    this.#evex({ map: MAP_0F, prefix: NO_PREFIX, opcode: 0x11 }, from, 0, to)
  }

  /** The first number of a vector. */
  vmovssStore(to: Memory, from: number): void {
    this.#evex({ map: MAP_0F, prefix: PREFIX_F3, opcode: 0x11, step: 4, size: 0 }, from, 0, to)
  }

  vpbroadcastd(to: number, from: Memory): void {
    this.#evex({ map: MAP_0F38, prefix: PREFIX_66, opcode: 0x58, step: 4 }, to, 0, from)
  }

  /** From a general register. */
  vpbroadcastdRegister(to: number, from: number): void {
    this.#evex({ map: MAP_0F38, prefix: PREFIX_66, opcode: 0x7c }, to, 0, from)
  }

  /** 16 halves to fp32. */
  vcvtph2ps(to: number, from: Memory): void {
    this.#evex({ map: MAP_0F38, prefix: PREFIX_66, opcode: 0x13, step: 32 }, to, 0, from)
  }

  vcvtdq2ps(to: number, from: number): void {
    this.#evex({ map: MAP_0F, prefix: NO_PREFIX, opcode: 0x5b }, to, 0, from)
  }

  /** To the nearest whole number, the even one of two. */
  vcvtps2dq(to: number, from: number): void {
    this.#evex({ map: MAP_0F, prefix: PREFIX_66, opcode: 0x5b }, to, 0, from)
  }

  /** 16 numbers of 32 bits as bytes, held to -128 and 127. */
  vpmovsdbStore(to: Memory, from: number): void {
    this.#evex({ map: MAP_0F38, prefix: PREFIX_F3, opcode: 0x21, step: 16 }, from, 0, to)
  }

  vmulps(to: number, a: number, b: Source): void {
    this.#evex({ map: MAP_0F, prefix: NO_PREFIX, opcode: 0x59 }, to, a, b)
  }

  vdivps(to: number, a: number, b: Source): void {
    this.#evex({ map: MAP_0F, prefix: NO_PREFIX, opcode: 0x5e }, to, a, b)
  }

  /** to += a × b, the number at `b` for all lanes. */
  vfmadd231psBroadcast(to: number, a: number, b: Memory): void {
    this.#evex({ map: MAP_0F38, prefix: PREFIX_66, opcode: 0xb8, step: 4, isBroadcast: true }, to, a, b)
  }

  vaddps(to: number, a: number, b: Source): void {
    this.#evex({ map: MAP_0F, prefix: NO_PREFIX, opcode: 0x58 }, to, a, b)
  }

  vsubps(to: number, a: number, b: Source): void {
    this.#evex({ map: MAP_0F, prefix: NO_PREFIX, opcode: 0x5c }, to, a, b)
  }

  /** The larger; `b` where one of them is no number. */
  vmaxps(to: number, a: number, b: Source): void {
    this.#evex({ map: MAP_0F, prefix: NO_PREFIX, opcode: 0x5f }, to, a, b)
  }

  /** to += a × b */
  vfmadd231ps(to: number, a: number, b: Source): void {
    this.#evex({ map: MAP_0F38, prefix: PREFIX_66, opcode: 0xb8 }, to, a, b)
  }

  /** to = a × to + b */
  vfmadd213ps(to: number, a: number, b: Source): void {
    this.#evex({ map: MAP_0F38, prefix: PREFIX_66, opcode: 0xa8 }, to, a, b)
  }

  /** to = to − a × b */
  vfnmadd231ps(to: number, a: number, b: Source): void {
    this.#evex({ map: MAP_0F38, prefix: PREFIX_66, opcode: 0xbc }, to, a, b)
  }

  /** To whole numbers, as fp32; 8 as `mode`: to the nearest, the even one of two, and inexactness is no matter. */
  vrndscaleps(to: number, from: number, mode: number): void {
    this.#evex({ map: MAP_0F3A, prefix: PREFIX_66, opcode: 0x08 }, to, 0, from)
    this.byte(mode)
  }

  /** to = a × 2 to the power of `b` rounded down. */
  vscalefps(to: number, a: number, b: Source): void {
    this.#evex({ map: MAP_0F38, prefix: PREFIX_66, opcode: 0x2c }, to, a, b)
  }

  /** Bits of a mask: where `a` is more than `b`, as signed numbers. */
  vpcmpgtd(mask: number, a: number, b: Source): void {
    this.#evex({ map: MAP_0F, prefix: PREFIX_66, opcode: 0x66 }, mask, a, b)
  }

  /** `b` where the bit of the mask is set, else `a`. */
  vblendmps(to: number, mask: number, a: number, b: number): void {
    this.#evex({ map: MAP_0F38, prefix: PREFIX_66, opcode: 0x65, mask }, to, a, b)
  }

  vpaddd(to: number, a: number, b: Source): void {
    this.#evex({ map: MAP_0F, prefix: PREFIX_66, opcode: 0xfe }, to, a, b)
  }

  vpsubd(to: number, a: number, b: Source): void {
    this.#evex({ map: MAP_0F, prefix: PREFIX_66, opcode: 0xfa }, to, a, b)
  }

  vpandd(to: number, a: number, b: Source): void {
    this.#evex({ map: MAP_0F, prefix: PREFIX_66, opcode: 0xdb }, to, a, b)
  }

  vpxord(to: number, a: number, b: Source): void {
    this.#evex({ map: MAP_0F, prefix: PREFIX_66, opcode: 0xef }, to, a, b)
  }

  /** The larger of signed numbers. */
  vpmaxsd(to: number, a: number, b: Source): void {
    this.#evex({ map: MAP_0F38, prefix: PREFIX_66, opcode: 0x3d }, to, a, b)
  }

  /** Numbers of 16 bits down by `count`. */
  vpsrlw(to: number, from: number, count: number): void {
    this.#evex({ map: MAP_0F, prefix: PREFIX_66, opcode: 0x71 }, 2, to, from)
    this.byte(count)
  }

  /** Numbers of 32 bits up by `count`. */
  vpslld(to: number, from: number, count: number): void {
    this.#evex({ map: MAP_0F, prefix: PREFIX_66, opcode: 0x72 }, 6, to, from)
    this.byte(count)
  }

  /** to += the four products of bytes without sign in `a` and bytes with one at `b`, the same four for all lanes. */
  vpdpbusd(to: number, a: number, b: Memory): void {
    this.#evex({ map: MAP_0F38, prefix: PREFIX_66, opcode: 0x50, step: 4, isBroadcast: true }, to, a, b)
  }

  /** Two quarters of `a`, then two of `b`, chosen by two bits each. */
  vshuff32x4(to: number, a: number, b: number, choice: number): void {
    this.#evex({ map: MAP_0F3A, prefix: PREFIX_66, opcode: 0x23 }, to, a, b)
    this.byte(choice)
  }

  /** Within each quarter: two numbers of `a`, then two of `b`, chosen by two bits each. */
  vshufps(to: number, a: number, b: number, choice: number): void {
    this.#evex({ map: MAP_0F, prefix: NO_PREFIX, opcode: 0xc6 }, to, a, b)
    this.byte(choice)
  }

  /** to = the numbers of `from` in the order of `places`. */
  vpermd(to: number, places: number, from: Source): void {
    this.#evex({ map: MAP_0F38, prefix: PREFIX_66, opcode: 0x36 }, to, places, from)
  }

  /** 16 numbers as halves, to the nearest. */
  vcvtps2phStore(to: Memory, from: number): void {
    this.#evex({ map: MAP_0F3A, prefix: PREFIX_66, opcode: 0x1d, step: 32 }, from, 0, to)
    this.byte(0)
  }

  // Encoding

  /** An instruction of two operands in general registers: `register` in the field of that name. */
  #plain(opcode: readonly number[], register: number, operand: Source): void {
    const base = typeof operand === 'number' ? operand : operand.base
    this.byte(0x48 | ((register >> 3) << 2) | (base >> 3), opcode[0]!, opcode[1])
    this.#operand(register, operand, 1)
  }

  #word(opcode: readonly number[], register: number, operand: Memory): void {
    const high = ((register >> 3) << 2) | (operand.base >> 3)
    if (high !== 0) this.byte(0x40 | high)
    this.byte(opcode[0]!, opcode[1])
    this.#operand(register, operand, 1)
  }

  #group(digit: number, register: number, value: number): void {
    this.#plain([0x81], digit, register)
    this.signed32(value)
  }

  #evex(form: Evex, register: number, second: number, operand: Source): void {
    const { map, prefix, opcode, step = 64, isBroadcast = false, mask = 0, size = 2 } = form
    const isRegister = typeof operand === 'number'
    const base = isRegister ? operand : operand.base
    // Bits that stand inverted: of the register, of the operand, and of the second source.
    const high = isRegister ? base >> 4 : 0
    const r = (bit(register, 3) << 7) | (high << 6) | (bit(base, 3) << 5) | (bit(register, 4) << 4)
    this.byte(0x62, (r ^ 0xf0) | map)
    this.byte(((~second & 15) << 3) | 4 | prefix)
    this.byte((size << 5) | (isBroadcast ? 0x10 : 0) | ((bit(second, 4) ^ 1) << 3) | mask)
    this.byte(opcode)
    this.#operand(register, operand, step)
  }

  /** ModRM, and what follows it for memory. @param step what a short displacement counts in. */
  #operand(register: number, operand: Source, step: number): void {
    const field = (register & 7) << 3
    if (typeof operand === 'number') {
      this.byte(0xc0 | field | (operand & 7))
      return
    }
    const { base, disp } = operand
    const steps = disp / step
    const isShort = Number.isInteger(steps) && steps >= -128 && steps <= 127
    // With the numbers of rbp and r13 there is always a displacement.
    const isNone = disp === 0 && (base & 7) !== 5
    this.byte((isNone ? 0 : isShort ? 0x40 : 0x80) | field | (base & 7))
    // The numbers of rsp and r12 mean that another byte names the base.
    if ((base & 7) === 4) this.byte(0x24)
    if (isNone) return
    if (isShort) this.byte(steps & 255)
    else this.signed32(disp)
  }
}

function bit(value: number, index: number): number {
  return (value >> index) & 1
}
