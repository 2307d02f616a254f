/** Against SciPy, NumPy and statsmodels: fixtures/make/bench_statistics.py. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { compareApart, compareRatios } from '../../src/bench/statistics/comparison.ts'
import { holm } from '../../src/bench/statistics/holm.ts'
import { DRAWS, EXACT_PAIRS, signFlip } from '../../src/bench/statistics/sign-flip.ts'
import { centralProbability, studentQuantile } from '../../src/bench/statistics/student.ts'
import { quantile } from '../../src/bench/statistics/summary.ts'
import { GOLDEN } from '../support/models.ts'

interface Compared {
  readonly difference: number
  readonly interval: readonly [number, number]
  readonly p: number
}

interface Golden {
  readonly paired: readonly (Compared & { arm: number[]; beside: number[]; spread: number })[]
  readonly apart: readonly (Compared & { now: number[]; then: number[] })[]
  readonly student: readonly (readonly [degrees: number, quantile: number, central: number])[]
  readonly holm: readonly { readonly p: number[]; readonly adjusted: number[] }[]
  readonly quantiles: { readonly values: number[]; readonly shares: readonly (readonly [number, number])[] }
  readonly many: { readonly ratios: number[]; readonly p: number }
}

const golden: Golden = JSON.parse(readFileSync(join(GOLDEN, 'bench-statistics.json'), 'utf8'))

const ratiosOf = ({ arm, beside }: Pick<Golden['paired'][number], 'arm' | 'beside'>): number[] =>
  arm.map((time, i) => Math.log(time / beside[i]!))

test.each(golden.paired.map((each) => [each.arm.length, each] as const))('%i pairs', (count, each) => {
  const found = compareRatios(ratiosOf(each))!
  expect(found.count).toBe(count)
  expect(found.exact).toBe(true)
  expect(found.difference).toBeCloseTo(each.difference, 12)
  expect(found.spread).toBeCloseTo(each.spread, 12)
  expect(found.p).toBeCloseTo(each.p, 12)
  for (const end of [0, 1] as const) expect(found.interval[end]).toBeCloseTo(each.interval[end], 9)
})

test.each(golden.apart)('samples apart', ({ now, then, difference, interval, p }) => {
  const found = compareApart(now, then)!
  expect(found.difference).toBeCloseTo(difference, 12)
  expect(found.p).toBeCloseTo(p, 10)
  for (const end of [0, 1] as const) expect(found.interval[end]).toBeCloseTo(interval[end], 9)
})

test.each(golden.student)("Student's t with %i degrees of freedom", (degrees, t, central) => {
  expect(studentQuantile(0.95, degrees)).toBeCloseTo(t, 9)
  expect(centralProbability(1.7, degrees)).toBeCloseTo(central, 12)
})

test.each(golden.holm)("Holm's correction of $p", ({ p, adjusted }) => {
  for (const [i, value] of holm(p).entries()) expect(value).toBeCloseTo(adjusted[i]!, 12)
})

test('quantiles', () => {
  const { values, shares } = golden.quantiles
  for (const [share, value] of shares) expect(quantile(values, share)).toBeCloseTo(value, 12)
})

test('more pairs than can be counted: drawn, said to be, and the same again', () => {
  const { ratios, p } = golden.many
  const found = signFlip(ratios)
  expect(found.exact).toBe(false)
  // Four standard errors of what both have drawn.
  expect(Math.abs(found.p - p)).toBeLessThan(4 * Math.sqrt(p / DRAWS + p / 400_000))
  expect(signFlip(ratios)).toEqual(found)
  expect(signFlip(ratios.slice(0, EXACT_PAIRS)).exact).toBe(true)
})

const differences = fc.array(fc.double({ min: -1, max: 1, noNaN: true }), { minLength: 1, maxLength: 9 })

test('the count by halves is the count of every choice of signs', () => {
  fc.assert(
    fc.property(differences, (values) => {
      const observed = Math.abs(values.reduce((a, b) => a + b, 0))
      const size = values.reduce((a, b) => a + Math.abs(b), 0)
      let count = 0
      for (let choice = 0; choice < 2 ** values.length; choice++) {
        const sum = values.reduce((total, value, i) => total + (choice & (1 << i) ? value : -value), 0)
        if (Math.abs(sum) >= observed - 1e-12 * size) count++
      }
      expect(signFlip(values).p).toBeCloseTo(Math.min(1, count / 2 ** values.length), 12)
    }),
  )
})

test('turning every sign, or the order, changes nothing; swapping the arms turns the difference', () => {
  fc.assert(
    fc.property(differences, (values) => {
      const { p } = signFlip(values)
      expect(signFlip(values.map((value) => -value)).p).toBe(p)
      expect(signFlip(values.toReversed()).p).toBeCloseTo(p, 12)
    }),
  )
  const { arm, beside } = golden.paired[4]!
  const there = compareRatios(ratiosOf({ arm, beside }))!
  const back = compareRatios(ratiosOf({ arm: beside, beside: arm }))!
  expect(back.difference).toBeCloseTo(-there.difference, 12)
  expect(back.p).toBe(there.p)
})

test('fewer than two pairs say nothing, and equal ones no difference', () => {
  expect(compareRatios([])).toBeUndefined()
  expect(compareRatios([0.5])).toBeUndefined()
  const equal = compareRatios(new Array<number>(10).fill(0))!
  expect(equal).toMatchObject({ difference: 0, interval: [0, 0], p: 1 })
})
