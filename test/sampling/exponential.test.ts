import fc from 'fast-check'
import { expect, test } from 'vitest'
import { expMinus, STEPS, STEPS_PER_UNIT, stepOf } from '../../src/sampling/exponential.ts'
import { readGolden } from './support/golden.ts'

const { exponentials } = readGolden<{ exponentials: [number, string][] }>('draws.json')

test.each(exponentials)('exp(-%d) has the same bits as elsewhere', (depth, bits) => {
  const bytes = Buffer.alloc(8)
  bytes.writeDoubleBE(expMinus(depth))
  expect(bytes.toString('hex')).toBe(bits)
})

test('exp(-0) is 1, so that the most likely candidate has weight 1', () => {
  expect(expMinus(0)).toBe(1)
})

test('a relative error below 5e-15 where anything is drawn, below 1e-13 further on', () => {
  const depth = fc.double({ min: 0, max: 700, noNaN: true })
  fc.assert(
    fc.property(depth, (d) => Math.abs(expMinus(d) / Math.exp(-d) - 1) < (d < 63.9 ? 5e-15 : 1e-13)),
    { numRuns: 20_000 },
  )
})

test.each([745.2, 1e6, 1e300, Infinity])('nothing is left at a depth of %d', (depth) => {
  expect(expMinus(depth)).toBe(0)
})

test('steps grow with the depth and stay inside the histogram', () => {
  const depth = fc.double({ min: 0, max: Infinity, noNaN: true })
  fc.assert(
    fc.property(depth, depth, (a, b) => {
      expect(stepOf(Math.min(a, b))).toBeLessThanOrEqual(stepOf(Math.max(a, b)))
      expect(stepOf(a)).toBeLessThan(STEPS)
      if (a < 63) expect(Math.abs(stepOf(a) - a * STEPS_PER_UNIT)).toBeLessThanOrEqual(1)
    }),
  )
})
