import { expect, test } from 'vitest'
import { DraftLength } from '../../src/generation/draft-length.ts'

test('grows while all are chosen, shrinks to what was, and pauses longer each time where most were not', () => {
  const length = new DraftLength()
  expect(length.next()).toBe(8)
  length.judged(8, 8)
  length.judged(16, 16)
  length.judged(32, 32)
  expect(length.next()).toBe(32)
  length.judged(32, 20)
  expect(length.next()).toBe(21)
  length.judged(21, 0)
  expect([length.next(), length.next()]).toEqual([0, 2])
  length.judged(2, 0)
  expect([length.next(), length.next(), length.next(), length.next()]).toEqual([0, 0, 0, 2])
  length.judged(2, 2)
  expect(length.next()).toBe(4)
})
