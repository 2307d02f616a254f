import fc from 'fast-check'
import { expect, test } from 'vitest'
import { makeSchedule } from '../../src/bench/schedule.ts'

const plans = fc.record({
  comparisons: fc.integer({ min: 1, max: 9 }),
  blocks: fc.integer({ min: 1, max: 8 }),
  seed: fc.bigInt(0n, 2n ** 64n - 1n),
})

test('every pair has both halves, one right after the other, and each comes first in half of them', () => {
  fc.assert(
    fc.property(plans, ({ comparisons, blocks, seed }) => {
      const turns = makeSchedule(comparisons, 2 * blocks, seed)
      expect(turns.length).toBe(4 * comparisons * blocks)
      const firsts = Array.from({ length: comparisons }, () => ({ arm: 0, beside: 0 }))
      const seen = new Set<string>()
      for (let i = 0; i < turns.length; i += 2) {
        const [first, second] = [turns[i]!, turns[i + 1]!]
        expect([second.of, second.pair]).toEqual([first.of, first.pair])
        expect(new Set([first.side, second.side])).toEqual(new Set(['arm', 'beside']))
        firsts[first.of]![first.side]++
        seen.add(`${first.of} ${first.pair}`)
      }
      expect(seen.size).toBe(2 * comparisons * blocks)
      for (const first of firsts) expect(first).toEqual({ arm: blocks, beside: blocks })
    }),
  )
})

test('a block is the mirror of itself', () => {
  fc.assert(
    fc.property(plans, ({ comparisons, seed }) => {
      const order = makeSchedule(comparisons, 2, seed).map(({ of, side }) => `${of} ${side}`)
      expect(order).toEqual(order.toReversed())
    }),
  )
})

test('the seed gives the order, and another seed another', () => {
  expect(makeSchedule(6, 20, 7n)).toEqual(makeSchedule(6, 20, 7n))
  expect(makeSchedule(6, 20, 7n)).not.toEqual(makeSchedule(6, 20, 8n))
})

test('every place in a block is taken by every comparison about as often', () => {
  const turns = makeSchedule(4, 4000, 3n)
  for (let place = 0; place < 4; place++) {
    const counts = [0, 0, 0, 0]
    for (let i = 2 * place; i < turns.length; i += 16) counts[turns[i]!.of]!++
    for (const count of counts) expect(Math.abs(count - 500)).toBeLessThan(4 * Math.sqrt(2000 * 0.25 * 0.75))
  }
})
