import fc from 'fast-check'
import { expect, test } from 'vitest'
import { bytesText, durationText, secondsText } from '../../src/system/quantities.ts'

test.each([
  [0, '0 B'],
  [999, '999 B'],
  [1000, '1.0 kB'],
  [99_949, '99.9 kB'],
  [123_456, '123 kB'],
  [1.5e9, '1.5 GB'],
  [2e15, '2000 TB'],
])('%d bytes are %s', (bytes, text) => {
  expect(bytesText(bytes)).toBe(text)
})

test.each([
  [0, '0 ms'],
  [12.34, '12.3 ms'],
  [999.96, '1 s'],
  [1250, '1.25 s'],
  [10_000, '10 s'],
  [59_994, '59.99 s'],
  [59_996, '1 min'],
  [754_000, '12 min 34 s'],
  [3_599_700, '1 h'],
  [3_723_000, '1 h 2 min'],
])('%d ms are %s', (ms, text) => {
  expect(durationText(ms)).toBe(text)
})

test('an estimate is in whole seconds', () => {
  expect([0, 499, 500, 25_400, 754_300].map(secondsText)).toEqual([
    '0 s',
    '0 s',
    '1 s',
    '25 s',
    '12 min 34 s',
  ])
})

test('a longer time never reads as a shorter one', () => {
  const units: Record<string, number> = { ms: 1, s: 1000, min: 60_000, h: 3_600_000 }
  const back = (text: string): number =>
    Array.from(text.matchAll(/([\d.]+) (\w+)/g), ([, n, unit]) => Number(n) * units[unit!]!).reduce(
      (a, b) => a + b,
    )
  const times = fc.double({ min: 0, max: 1e9, noNaN: true })
  fc.assert(
    fc.property(times, times, (a, b) => {
      const [first, second] = a < b ? [a, b] : [b, a]
      expect(back(durationText(first))).toBeLessThanOrEqual(back(durationText(second)))
      expect(Math.abs(back(durationText(a)) - a)).toBeLessThanOrEqual(Math.max(0.05, a / 100))
    }),
  )
})
