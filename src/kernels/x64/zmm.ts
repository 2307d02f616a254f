/**
 * Instructions of AVX-512 on zmm registers: 512 bits, 16 numbers of 32. As Intel's Software Developer's Manual (volume 2) encodes
 * them; names are the manual's, operands stand in its order, the target first.
 */
import type { CodeBuffer } from './code-buffer.ts'
import { writeOperand } from './operand.ts'
import type { Memory, Source } from './registers.ts'

/** Opcode maps of EVEX. */
const MAP_0F = 1
const MAP_0F38 = 2
const MAP_0F3A = 3
/** Prefixes that EVEX holds in two bits. */
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

export class Zmm {
  readonly #code: CodeBuffer

  constructor(code: CodeBuffer) {
    this.#code = code
  }

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

  /** The smaller; `b` where one of them is no number. */
  vminps(to: number, a: number, b: Source): void {
    this.#evex({ map: MAP_0F, prefix: NO_PREFIX, opcode: 0x5d }, to, a, b)
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
    this.#code.byte(mode)
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
    this.#code.byte(count)
  }

  /** Numbers of 32 bits up by `count`. */
  vpslld(to: number, from: number, count: number): void {
    this.#evex({ map: MAP_0F, prefix: PREFIX_66, opcode: 0x72 }, 6, to, from)
    this.#code.byte(count)
  }

  /** 16 bytes without sign as numbers of 32 bits. */
  vpmovzxbd(to: number, from: Memory): void {
    this.#evex({ map: MAP_0F38, prefix: PREFIX_66, opcode: 0x31, step: 16 }, to, 0, from)
  }

  /** to = a × the number at `b`, its lower half. */
  vpmulldBroadcast(to: number, a: number, b: Memory): void {
    this.#evex({ map: MAP_0F38, prefix: PREFIX_66, opcode: 0x40, step: 4, isBroadcast: true }, to, a, b)
  }

  /** to += the four products of bytes without sign in `a` and bytes with one at `b`, the same four for all lanes. */
  vpdpbusd(to: number, a: number, b: Memory): void {
    this.#evex({ map: MAP_0F38, prefix: PREFIX_66, opcode: 0x50, step: 4, isBroadcast: true }, to, a, b)
  }

  /** Two quarters of `a`, then two of `b`, chosen by two bits each. */
  vshuff32x4(to: number, a: number, b: number, choice: number): void {
    this.#evex({ map: MAP_0F3A, prefix: PREFIX_66, opcode: 0x23 }, to, a, b)
    this.#code.byte(choice)
  }

  /** Within each quarter: two numbers of `a`, then two of `b`, chosen by two bits each. */
  vshufps(to: number, a: number, b: number, choice: number): void {
    this.#evex({ map: MAP_0F, prefix: NO_PREFIX, opcode: 0xc6 }, to, a, b)
    this.#code.byte(choice)
  }

  /** to = the numbers of `from` in the order of `places`. */
  vpermd(to: number, places: number, from: Source): void {
    this.#evex({ map: MAP_0F38, prefix: PREFIX_66, opcode: 0x36 }, to, places, from)
  }

  /** 16 numbers as halves, to the nearest. */
  vcvtps2phStore(to: Memory, from: number): void {
    this.#evex({ map: MAP_0F3A, prefix: PREFIX_66, opcode: 0x1d, step: 32 }, from, 0, to)
    this.#code.byte(0)
  }

  /** The square root. */
  vsqrtps(to: number, from: number): void {
    this.#evex({ map: MAP_0F, prefix: NO_PREFIX, opcode: 0x51 }, to, 0, from)
  }

  #evex(form: Evex, register: number, second: number, operand: Source): void {
    const code = this.#code
    const { map, prefix, opcode, step = 64, isBroadcast = false, mask = 0, size = 2 } = form
    const isRegister = typeof operand === 'number'
    const base = isRegister ? operand : operand.base
    // Bits that stand inverted: of the register, of the operand, and of the second source.
    const high = isRegister ? base >> 4 : 0
    const r = (bit(register, 3) << 7) | (high << 6) | (bit(base, 3) << 5) | (bit(register, 4) << 4)
    code.byte(0x62, (r ^ 0xf0) | map)
    code.byte(((~second & 15) << 3) | 4 | prefix)
    code.byte((size << 5) | (isBroadcast ? 0x10 : 0) | ((bit(second, 4) ^ 1) << 3) | mask)
    code.byte(opcode)
    writeOperand(code, register, operand, step)
  }
}

function bit(value: number, index: number): number {
  return (value >> index) & 1
}
