import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Candidates } from '../../src/sampling/candidates.ts'
import { argmax, makeTopKScan } from '../../src/sampling/scan.ts'
import { MassCut, nextAbove, selectLargest } from '../../src/sampling/selection.ts'

const values = fc.array(fc.integer({ min: -20, max: 20 }), { minLength: 1, maxLength: 200 })

test('nextAbove stops at the first value that is greater or NaN', () => {
  const some = fc.array(fc.oneof(fc.integer({ min: -3, max: 3 }), fc.constant(Number.NaN)), { maxLength: 30 })
  fc.assert(
    fc.property(some, fc.nat(30), fc.integer({ min: -4, max: 4 }), (list, from, level) => {
      const found = list.findIndex((value, i) => i >= from && !(value <= level))
      const start = Math.min(from, list.length)
      expect(nextAbove(Float32Array.from(list), start, Float32Array.of(level))).toBe(
        found < 0 ? list.length : found,
      )
    }),
  )
})

test('argmax is the lowest id of the greatest value', () => {
  fc.assert(
    fc.property(values, (list) => {
      expect(argmax(Float32Array.from(list))).toBe(list.indexOf(Math.max(...list)))
    }),
  )
})

test('selectLargest moves the k largest to the front, the least of them last', () => {
  fc.assert(
    fc.property(values, fc.nat(), (list, pick) => {
      const k = 1 + (pick % list.length)
      const array = Float32Array.from(list)
      selectLargest(array, list.length, k)
      const sorted = [...list].sort((a, b) => b - a)
      expect([...array].sort((a, b) => b - a)).toEqual(sorted)
      expect([...array.slice(0, k)].sort((a, b) => b - a)).toEqual(sorted.slice(0, k))
      expect(array[k - 1]).toBe(sorted[k - 1])
    }),
  )
})

describe('the top-k scan of a long row', () => {
  const length = 5000
  const orders: Record<string, (id: number) => number> = {
    ascending: (id) => id,
    descending: (id) => -id,
    equal: () => 1,
    'in waves': (id) => Math.fround(Math.sin(id) * 9),
    'in few values': (id) => id % 3,
    'with holes': (id) => (id % 5 ? -Infinity : id % 977),
  }
  const ks = [1, 2, 255, 256, 257, 1023, 1024, 1025, 4999]

  test.each(Object.entries(orders))('%s', (_name, order) => {
    const row = Float32Array.from({ length }, (_, id) => order(id))
    const finite = [...row].filter(Number.isFinite).sort((a, b) => b - a)
    for (const k of ks) {
      const candidates = new Candidates(length, 1)
      expect(makeTopKScan(k)(row, candidates)).toBe(true)
      candidates.gather(row)
      const least = finite[k - 1] ?? -Infinity
      expect(candidates.count).toBe(finite.filter((value) => value >= least).length)
    }
  })

  test.each([0, 1, 1023, 1024, 4999])('finds NaN at %d', (at) => {
    const row = new Float32Array(length)
    row[at] = Number.NaN
    expect(makeTopKScan(3)(row, new Candidates(length, 1))).toBe(false)
  })
})

test('MassCut finds the key at which the mass is reached, and what lies under it', () => {
  const entries = fc.array(fc.record({ key: fc.nat(200), mass: fc.integer({ min: 1, max: 8 }) }), {
    minLength: 1,
    maxLength: 150,
  })
  fc.assert(
    fc.property(entries, fc.nat(), fc.constantFrom(1 / 64, 1, 3), (list, pick, scale) => {
      const total = list.reduce((sum, { mass }) => sum + mass, 0)
      const cut = new MassCut(list.length)
      cut.target = pick % (total + 1)
      const keys = Float64Array.from(list, ({ key }) => key * scale)
      const masses = Float64Array.from(list, ({ mass }) => mass)
      cut.find(keys, masses, list.length)
      const massUpTo = (limit: number) =>
        list.reduce((sum, { key, mass }) => (key * scale <= limit ? sum + mass : sum), 0)
      const expected = [...keys].sort((a, b) => a - b).find((key) => massUpTo(key) >= cut.target)
      expect(cut.key).toBe(expected)
      expect(cut.below).toBe(massUpTo(cut.key - scale / 2))
    }),
    { numRuns: 1000 },
  )
})
