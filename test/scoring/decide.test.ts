/** Scores into an answer and its probability; long texts into windows. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decide, softmax } from '../../src/scoring/decide.ts'
import { scoreWindows } from '../../src/scoring/windows.ts'

const choice = (text: string, logprob: number, prior?: number) => ({ choice: text, logprob, prior })

describe('a decision', () => {
  test('is the likeliest, less what is likely anyway', () => {
    expect(decide([choice('a', -1), choice('b', -2)]).best.choice).toBe('a')
    const { best, margin, choices } = decide([choice('a', -1, -0.5), choice('b', -2, -3)])
    expect(best.choice).toBe('b')
    expect(choices.map(({ probability }) => probability)).toEqual(softmax([-0.5, 1]))
    expect(margin).toBeCloseTo(choices[1]!.probability - choices[0]!.probability, 12)
  })

  test('of equals does not depend on their order', () => {
    expect(decide([choice('b', -1), choice('a', -1)]).best.choice).toBe('a')
  })

  test('between impossible ones is an error, with one possible it is that', () => {
    expect(() => decide([choice('a', -Infinity), choice('b', -Infinity)])).toThrow(
      'holds none to be possible',
    )
    expect(decide([choice('a', -Infinity), choice('b', -900)]).best.probability).toBe(1)
  })
})

test('windows score every id once, each with as much before it as one run has', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 2, max: 60 }),
      fc.integer({ min: 1, max: 9 }),
      fc.integer({ min: 9, max: 20 }),
      (length, from, most) => {
        const windows = scoreWindows(length, Math.min(from, length - 1), most)
        const scored = windows.flatMap(({ first, end }) =>
          Array.from({ length: end - first }, (_, i) => first + i),
        )
        expect(scored).toEqual(
          Array.from(
            { length: length - Math.min(from, length - 1) },
            (_, i) => Math.min(from, length - 1) + i,
          ),
        )
        for (const { start, end } of windows) expect(end - start - 1).toBeLessThanOrEqual(most)
      },
    ),
  )
})
