/**
 * Arithmetic of fp32 as the kernels do it: every operation rounded once, to the nearest, the even one of two; denormal numbers are
 * zero in what is read and in what is made (FTZ and DAZ of MXCSR). A double holds the product of two fp32 numbers exactly.
 */

/** What is nearer to zero than this becomes zero: 2^-126 less what would still be rounded up to it. */
const TINY = 2 ** -126 - 2 ** -151
const SMALLEST = 2 ** -126

/** An operand: zero where it is denormal. */
export function read(x: number): number {
  return Math.abs(x) < SMALLEST ? x * 0 : x
}

/** A result, given with at least 25 correct bits and the right side of every middle. */
export function rounded(exact: number): number {
  return Math.abs(exact) < TINY ? exact * 0 : Math.fround(exact)
}

export const add = (a: number, b: number): number => rounded(read(a) + read(b))
export const sub = (a: number, b: number): number => rounded(read(a) - read(b))
export const mul = (a: number, b: number): number => rounded(read(a) * read(b))
export const div = (a: number, b: number): number => rounded(read(a) / read(b))
export const sqrt = (a: number): number => rounded(Math.sqrt(read(a)))
/** a × b + c, rounded once. */
export const fma = (a: number, b: number, c: number): number => rounded(fused(read(a), read(b), read(c)))
/** The larger; `b` where one of them is no number. */
export function max(a: number, b: number): number {
  const [left, right] = [read(a), read(b)]
  return left > right ? left : right
}

const double = new Float64Array(1)
const words = new Uint32Array(double.buffer)

/**
 * a × b + c of fp32 numbers as a double that rounds to fp32 as the exact number does: rounded to odd (Boldo and Melquiond), since a
 * sum rounded to the nearest could lie in the middle of two fp32 numbers where the exact one does not.
 */
export function fused(a: number, b: number, c: number): number {
  const product = a * b
  const sum = product + c
  const part = sum - product
  const error = product - (sum - part) + (c - part)
  if (error === 0 || Number.isNaN(error)) return sum
  double[0] = sum
  if ((words[0]! & 1) === 1) return sum
  if (error > 0 === sum > 0) words[0]! |= 1
  else {
    if (words[0] === 0) words[1]!--
    words[0]!--
  }
  return double[0]!
}

/** To a whole number, the even one of two. */
export function nearest(x: number): number {
  if (!(Math.abs(x) < 2 ** 23)) return x
  const whole = x < 0 ? -(-x + 2 ** 52 - 2 ** 52) : x + 2 ** 52 - 2 ** 52
  return whole === 0 ? x * 0 : whole
}

/** As an int32; what has no place there becomes the smallest. */
export function toInt(x: number): number {
  const whole = nearest(read(x))
  return whole >= -(2 ** 31) && whole < 2 ** 31 ? whole : -(2 ** 31)
}

/** The number that 16 bits stand for in fp16. */
export function fromHalf(bits: number): number {
  const exponent = (bits >> 10) & 31
  const fraction = bits & 1023
  const sign = bits & 0x8000 ? -1 : 1
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN
  return sign * (exponent === 0 ? fraction * 2 ** -24 : (1024 + fraction) * 2 ** (exponent - 25))
}

/** To 16 bits of fp16, to the nearest. */
export function toHalf(x: number): number {
  const sign = x < 0 || Object.is(x, -0) ? 0x8000 : 0
  const size = Math.abs(x)
  if (Number.isNaN(size)) return sign | 0x7e00
  if (size >= 65_520) return sign | 0x7c00
  if (size < 2 ** -14) return sign | nearest(size * 2 ** 24)
  const exponent = Math.floor(Math.log2(size))
  const exact = size < 2 ** exponent ? exponent - 1 : exponent
  return sign | (((exact + 15) << 10) + nearest((size / 2 ** exact - 1) * 1024))
}
