/**
 * Instructions of AVX2, FMA, F16C and AVX-VNNI on ymm registers: 256 bits, 8 numbers of 32. As Intel's Software Developer's Manual
 * (volume 2) encodes them with three bytes of VEX; names are the manual's, operands stand in its order, the target first.
 */
import type { CodeBuffer } from './code-buffer.ts'
import { writeOperand } from './operand.ts'
import type { Memory, Source } from './registers.ts'

/** Opcode maps. */
const MAP_0F = 1
const MAP_0F38 = 2
const MAP_0F3A = 3
/** Prefixes that VEX holds in two bits. */
const NO_PREFIX = 0
const PREFIX_66 = 1
const PREFIX_F3 = 2

/** An instruction as VEX names it. */
interface Vex {
  readonly map: number
  readonly prefix: number
  readonly opcode: number
  /** 0: 128 bits, 1: 256. */
  readonly size?: number
}

/** One of 66 0F, on 256 bits. */
const plain = (opcode: number): Vex => ({ map: MAP_0F, prefix: PREFIX_66, opcode })
/** One of 66 0F38. */
const longer = (opcode: number): Vex => ({ map: MAP_0F38, prefix: PREFIX_66, opcode })
/** One of 66 0F3A, which a number of 8 bits follows. */
const numbered = (opcode: number): Vex => ({ map: MAP_0F3A, prefix: PREFIX_66, opcode })
/** Floats, of 0F. */
const floats = (opcode: number): Vex => ({ map: MAP_0F, prefix: NO_PREFIX, opcode })

export class Ymm {
  readonly #code: CodeBuffer

  constructor(code: CodeBuffer) {
    this.#code = code
  }

  // Memory

  vmovups(to: number, from: Memory): void {
    this.#vex(floats(0x10), to, 0, from)
  }

  vmovupsStore(to: Memory, from: number): void {
    this.#vex(floats(0x11), from, 0, to)
  }

  /** The first 128 bits. */
  vmovupsStoreLow(to: Memory, from: number): void {
    this.#vex({ ...floats(0x11), size: 0 }, from, 0, to)
  }

  /** The first number of a vector. */
  vmovssStore(to: Memory, from: number): void {
    this.#vex({ map: MAP_0F, prefix: PREFIX_F3, opcode: 0x11, size: 0 }, from, 0, to)
  }

  vpbroadcastd(to: number, from: Memory): void {
    this.#vex(longer(0x58), to, 0, from)
  }

  /** From the first lane of a vector. */
  vpbroadcastdVector(to: number, from: number): void {
    this.#vex(longer(0x58), to, 0, from)
  }

  /** The first lane becomes the lower half of a general register, and those of the first 128 bits after it zero. */
  vmovdRegister(to: number, from: number): void {
    this.#vex({ ...plain(0x6e), size: 0 }, to, 0, from)
  }

  /** 8 halves to fp32. */
  vcvtph2ps(to: number, from: Memory): void {
    this.#vex(longer(0x13), to, 0, from)
  }

  /** 8 numbers as halves, to the nearest. */
  vcvtps2phStore(to: Memory, from: number): void {
    this.#vex(numbered(0x1d), from, 0, to)
    this.#code.byte(0)
  }

  // Floats

  vcvtdq2ps(to: number, from: number): void {
    this.#vex(floats(0x5b), to, 0, from)
  }

  /** To the nearest whole number, the even one of two. */
  vcvtps2dq(to: number, from: number): void {
    this.#vex(plain(0x5b), to, 0, from)
  }

  vmulps(to: number, a: number, b: Source): void {
    this.#vex(floats(0x59), to, a, b)
  }

  vdivps(to: number, a: number, b: Source): void {
    this.#vex(floats(0x5e), to, a, b)
  }

  vaddps(to: number, a: number, b: Source): void {
    this.#vex(floats(0x58), to, a, b)
  }

  vsubps(to: number, a: number, b: Source): void {
    this.#vex(floats(0x5c), to, a, b)
  }

  /** The larger; `b` where one of them is no number. */
  vmaxps(to: number, a: number, b: Source): void {
    this.#vex(floats(0x5f), to, a, b)
  }

  /** The smaller; `b` where one of them is no number. */
  vminps(to: number, a: number, b: Source): void {
    this.#vex(floats(0x5d), to, a, b)
  }

  vsqrtps(to: number, from: number): void {
    this.#vex(floats(0x51), to, 0, from)
  }

  /** to += a × b */
  vfmadd231ps(to: number, a: number, b: Source): void {
    this.#vex(longer(0xb8), to, a, b)
  }

  /** to = a × to + b */
  vfmadd213ps(to: number, a: number, b: Source): void {
    this.#vex(longer(0xa8), to, a, b)
  }

  /** to = to − a × b */
  vfnmadd231ps(to: number, a: number, b: Source): void {
    this.#vex(longer(0xbc), to, a, b)
  }

  /** To whole numbers, as fp32; 8 as `mode`: to the nearest, the even one of two, and inexactness is no matter. */
  vroundps(to: number, from: number, mode: number): void {
    this.#vex(numbered(0x08), to, 0, from)
    this.#code.byte(mode)
  }

  // Whole numbers

  /** All bits of a lane where `a` is more than `b`, as signed numbers. */
  vpcmpgtd(to: number, a: number, b: Source): void {
    this.#vex(plain(0x66), to, a, b)
  }

  /** `b` where the sign of `mask` is set, else `a`. */
  vblendvps(to: number, a: number, b: Source, mask: number): void {
    this.#vex(numbered(0x4a), to, a, b)
    this.#code.byte(mask << 4)
  }

  vpaddd(to: number, a: number, b: Source): void {
    this.#vex(plain(0xfe), to, a, b)
  }

  vpsubd(to: number, a: number, b: Source): void {
    this.#vex(plain(0xfa), to, a, b)
  }

  /** 8 bytes without sign as numbers of 32 bits. */
  vpmovzxbd(to: number, from: Memory): void {
    this.#vex(longer(0x31), to, 0, from)
  }

  /** to = a × b, its lower half. */
  vpmulld(to: number, a: number, b: Source): void {
    this.#vex(longer(0x40), to, a, b)
  }

  vpaddw(to: number, a: number, b: Source): void {
    this.#vex(plain(0xfd), to, a, b)
  }

  vpand(to: number, a: number, b: Source): void {
    this.#vex(plain(0xdb), to, a, b)
  }

  vpxor(to: number, a: number, b: Source): void {
    this.#vex(plain(0xef), to, a, b)
  }

  /** The larger of signed numbers. */
  vpmaxsd(to: number, a: number, b: Source): void {
    this.#vex(longer(0x3d), to, a, b)
  }

  /** Numbers of 16 bits down by `count`. */
  vpsrlw(to: number, from: number, count: number): void {
    this.#vex(plain(0x71), 2, to, from)
    this.#code.byte(count)
  }

  /** Numbers of 32 bits up by `count`. */
  vpslld(to: number, from: number, count: number): void {
    this.#vex(plain(0x72), 6, to, from)
    this.#code.byte(count)
  }

  /** Signed numbers of 32 bits down by `count`. */
  vpsrad(to: number, from: number, count: number): void {
    this.#vex(plain(0x72), 4, to, from)
    this.#code.byte(count)
  }

  vpabsb(to: number, from: number): void {
    this.#vex(longer(0x1c), to, 0, from)
  }

  /** Bytes of `a` with their sign turned where those of `b` are negative, zero where these are. */
  vpsignb(to: number, a: number, b: number): void {
    this.#vex(longer(0x08), to, a, b)
  }

  /** Bytes without sign in `a` times bytes with one in `b`, two side by side added, held to 16 bits. */
  vpmaddubsw(to: number, a: number, b: Source): void {
    this.#vex(longer(0x04), to, a, b)
  }

  /** Numbers of 16 bits multiplied, two side by side added. */
  vpmaddwd(to: number, a: number, b: Source): void {
    this.#vex(plain(0xf5), to, a, b)
  }

  /** to += the four products of bytes without sign in `a` and bytes with one in `b`. AVX-VNNI. */
  vpdpbusd(to: number, a: number, b: Source): void {
    this.#vex(longer(0x50), to, a, b)
  }

  // Places

  /** Within each half: two numbers of `a`, then two of `b`, chosen by two bits each. */
  vshufps(to: number, a: number, b: number, choice: number): void {
    this.#vex(floats(0xc6), to, a, b)
    this.#code.byte(choice)
  }

  /** Halves of `a` and `b`, chosen by two bits for each half of the result. */
  vperm2f128(to: number, a: number, b: number, choice: number): void {
    this.#vex(numbered(0x06), to, a, b)
    this.#code.byte(choice)
  }

  /** to = the numbers of `from` in the order of `places`. */
  vpermd(to: number, places: number, from: Source): void {
    this.#vex(longer(0x36), to, places, from)
  }

  /** Numbers of 32 bits held to 16; within each half those of `a`, then those of `b`. */
  vpackssdw(to: number, a: number, b: number): void {
    this.#vex(plain(0x6b), to, a, b)
  }

  /** Numbers of 16 bits held to 8; within each half those of `a`, then those of `b`. */
  vpacksswb(to: number, a: number, b: number): void {
    this.#vex(plain(0x63), to, a, b)
  }

  #vex({ map, prefix, opcode, size = 1 }: Vex, register: number, second: number, operand: Source): void {
    const code = this.#code
    const base = typeof operand === 'number' ? operand : operand.base
    // Bits that stand inverted: the fourth of the register and of the operand, and the second source.
    code.byte(0xc4, (((register >> 3) << 7) ^ 0xe0 ^ ((base >> 3) << 5)) | map)
    code.byte(((~second & 15) << 3) | (size << 2) | prefix, opcode)
    writeOperand(code, register, operand, 1)
  }
}
