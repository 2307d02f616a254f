import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import * as fp32 from '../../../src/kernels/numerics/fp32.ts'

const floats = fc.float({ noNaN: true, noDefaultInfinity: true })
/** Near each other in size, where a sum cancels. */
const near = fc.integer({ min: -(2 ** 24), max: 2 ** 24 }).map((n) => Math.fround(n / 2 ** 12))
const any = fc.oneof(floats, near)

/** A number as a whole multiple of 2^-400. */
function whole(x: number): bigint {
  if (x === 0) return 0n
  const exponent = Math.floor(Math.log2(Math.abs(x))) - 60
  return BigInt(x / 2 ** exponent) << BigInt(exponent + 400)
}

/** Whether `found` is the fp32 number nearest to `exact` × 2^-400, the even one of two. */
function isNearest(found: number, exact: bigint): boolean {
  if (!Number.isFinite(found))
    return exact > whole(3.4028235677973366e38) - 1n || -exact > whole(3.4028235677973366e38) - 1n
  const distance = (x: number): bigint => {
    const difference = whole(x) - exact
    return difference < 0n ? -difference : difference
  }
  const bits = new Int32Array(Float32Array.of(found).buffer)[0]!
  const beside = [-1, 1].map((step) => new Float32Array(Int32Array.of(bits + step).buffer)[0]!)
  return beside.every((other) => {
    const here = distance(found)
    const there = Number.isFinite(other) ? distance(other) : here + 1n
    return here < there || (here === there && bits % 2 === 0)
  })
}

describe('a × b + c', () => {
  test('is rounded once', () => {
    fc.assert(
      fc.property(any, any, any, (a, b, c) => {
        const exact = (whole(a) * whole(b)) / (1n << 400n) + whole(c)
        const found = fp32.fma(a, b, c)
        const isTiny = exact < whole(2 ** -126) && exact > -whole(2 ** -126)
        const isRead = [a, b, c].every((x) => x === 0 || Math.abs(x) >= 2 ** -126)
        if (!isRead) return
        if (isTiny) expect(Math.abs(found) === 0 || Math.abs(found) === 2 ** -126).toBe(true)
        else expect(isNearest(found, exact), `${a} × ${b} + ${c} = ${found}`).toBe(true)
      }),
      { numRuns: 2000 },
    )
  })

  test('where a double of the sum lies in the middle of two', () => {
    const [a, b] = [1 + 2 ** -12, 1 + 2 ** -12]
    // 2^30 + 2^-24 more than half of a step: the double forgets the small part.
    expect(fp32.fma(a, b, 2 ** 24)).toBe(2 ** 24 + 2)
    expect(fp32.fma(2 ** -30, 2 ** -30, 1 + 2 ** -23)).toBe(1 + 2 ** -23)
    const half = fp32.fma(1 + 2 ** -23, 2 ** -24, 1)
    expect(half).toBe(1 + 2 ** -23)
  })

  test('no number, nor the infinite, is lost', () => {
    expect(fp32.fma(Number.NaN, 1, 1)).toBeNaN()
    expect(fp32.fma(Number.POSITIVE_INFINITY, 1, 1)).toBe(Number.POSITIVE_INFINITY)
    expect(fp32.fma(Number.POSITIVE_INFINITY, 1, Number.NEGATIVE_INFINITY)).toBeNaN()
    expect(fp32.fma(3e38, 3e38, 1)).toBe(Number.POSITIVE_INFINITY)
  })
})

test('denormal numbers are zero, with their sign', () => {
  expect(fp32.add(2 ** -130, 2 ** -130)).toBe(0)
  expect(fp32.mul(2 ** -100, -(2 ** -100))).toBe(-0)
  expect(fp32.mul(2 ** -63, 2 ** -63)).toBe(2 ** -126)
  expect(fp32.sub(2 ** -126, 1.5 * 2 ** -126)).toBe(-0)
})

test('halves are what they were, and the nearest of others', () => {
  for (let bits = 0; bits < 65_536; bits++) {
    const number = fp32.fromHalf(bits)
    if (Number.isNaN(number)) expect(fp32.fromHalf(fp32.toHalf(number))).toBeNaN()
    else expect(fp32.toHalf(number)).toBe(bits)
  }
  const next = 1 + 2 ** -10
  expect(fp32.fromHalf(fp32.toHalf((1 + next) / 2))).toBe(1)
  expect(fp32.fromHalf(fp32.toHalf((1 + next) / 2 + 2 ** -20))).toBe(next)
  expect(fp32.fromHalf(fp32.toHalf(65_519))).toBe(65_504)
})

test('whole numbers: the even one of two', () => {
  expect([0.5, 1.5, 2.5, -0.5, -1.5, 2 ** 30 + 64].map(fp32.nearest)).toEqual([0, 2, 2, -0, -2, 2 ** 30 + 64])
  expect([Number.NaN, 2 ** 31, -(2 ** 31)].map(fp32.toInt)).toEqual(Array(3).fill(-(2 ** 31)))
})
