/** The exponential function of the numbers of a vector. */
import type { Assembler } from './assembler.ts'
import type { Label } from './code-buffer.ts'
import { at, RAX } from './registers.ts'

/**
 * e^x = 2^n · e^r with n whole and |r| ≤ ln 2 / 2, where e^r ≈ 1 + r + r² (c2 + c3 r + c4 r² + c5 r³ + c6 r⁴). The
 * coefficients make the relative error of the polynomial as small as can be, 3e-9 (least squares with Lawson's weights); in fp32
 * the result is off by at most 8e-8 of it. ln 2 is split into a part of few bits and the rest (Cody and Waite).
 */
const CONSTANTS = {
  /** e to the power of this is zero in fp32, and less than it infinitely so. */
  smallest: -200,
  log2e: Math.LOG2E,
  ln2High: 0.693145751953125,
  ln2Low: Math.LN2 - 0.693145751953125,
  one: 1,
  c2: 0.4999999403953552,
  c3: 0.1666652113199234,
  c4: 0.04166838899254799,
  c5: 0.00836874544620514,
  c6: 0.0013814540579915047,
}

/** How many vectors the constants take. */
export const EXP_CONSTANTS = Object.keys(CONSTANTS).length
/** Which of them is 1. */
export const EXP_ONE = Object.keys(CONSTANTS).indexOf('one')

/** Writes the constants as data, which `emitExpConstants` reads. */
export function emitExpData(code: Assembler, data: Label): void {
  code.align(4)
  code.bind(data)
  for (const value of Object.values(CONSTANTS)) code.int32(floatBits(value))
}

/** Brings the constants into the vectors from `first` on. Takes rax. */
export function emitExpConstants(code: Assembler, data: Label, first: number): void {
  code.leaLabel(RAX, data)
  for (let i = 0; i < EXP_CONSTANTS; i++) code.vpbroadcastd(first + i, at(RAX, 4 * i))
}

export interface ExpVectors {
  readonly x: number
  /** Two for the work. */
  readonly work: readonly [number, number]
  /** Where the constants begin. */
  readonly constants: number
}

/** x = e^x; exactly 1 for 0, exactly 0 for what is far below, and what is no number stays so. */
export function emitExp(code: Assembler, { x, work: [n, sum], constants }: ExpVectors): void {
  const [smallest, log2e, ln2High, ln2Low, one, c2, c3, c4, c5, c6] = Array.from(
    { length: EXP_CONSTANTS },
    (_, i) => constants + i,
  ) as [number, number, number, number, number, number, number, number, number, number]
  code.vmaxps(x, smallest, x)
  code.vmulps(n, x, log2e)
  code.vrndscaleps(n, n, TO_NEAREST)
  code.vfnmadd231ps(x, n, ln2High)
  code.vfnmadd231ps(x, n, ln2Low)
  code.vmulps(sum, x, c6)
  code.vaddps(sum, sum, c5)
  for (const each of [c4, c3, c2, one, one]) code.vfmadd213ps(sum, x, each)
  code.vscalefps(x, sum, n)
}

const TO_NEAREST = 8

/** A number of fp32 as it lies in memory. */
export function floatBits(value: number): number {
  return new Uint32Array(Float32Array.of(value).buffer)[0]!
}
