/** The exponential function that all kernels compute, to the last bit. */
import * as fp32 from './fp32.ts'

/**
 * e^x = 2^n · e^r with n whole and |r| ≤ ln 2 / 2, where e^r ≈ 1 + r + r² (c2 + c3 r + c4 r² + c5 r³ + c6 r⁴). The
 * coefficients make the relative error of the polynomial as small as can be, 3e-9 (least squares with Lawson's weights); in fp32
 * the result is off by at most 8e-8 of it. ln 2 is split into a part of few bits and the rest (Cody and Waite).
 */
export const EXP = {
  /** Beyond these the result is zero or infinite in fp32, and 2^n is still two numbers of fp32 multiplied. */
  least: -174,
  most: 176,
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

const [log2e, ln2High, ln2Low] = [EXP.log2e, EXP.ln2High, EXP.ln2Low].map(Math.fround) as [
  number,
  number,
  number,
]
const [c2, c3, c4, c5, c6] = [EXP.c2, EXP.c3, EXP.c4, EXP.c5, EXP.c6].map(Math.fround) as [
  number,
  number,
  number,
  number,
  number,
]

/** e^x: exactly 1 for 0, exactly 0 for what is far below, and what is no number stays so. */
export function exp(number: number): number {
  const x = Math.min(EXP.most, Math.max(EXP.least, fp32.read(number)))
  const n = fp32.nearest(fp32.mul(x, log2e))
  const r = fp32.fma(-n, ln2Low, fp32.fma(-n, ln2High, x))
  let sum = fp32.add(fp32.mul(r, c6), c5)
  for (const each of [c4, c3, c2, 1, 1]) sum = fp32.fma(r, sum, each)
  return fp32.rounded(sum * 2 ** n)
}

/** A number of fp32 as it lies in memory. */
export function floatBits(value: number): number {
  return new Uint32Array(Float32Array.of(value).buffer)[0]!
}
