/** What labelled examples make of scores. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { fitTemperature, fitThreshold } from '../../src/scoring/calibrate.ts'
import { softmax } from '../../src/scoring/decide.ts'
import { makeRandom } from '../support/random.ts'

describe('the temperature', () => {
  /** Examples whose labels are drawn from the softmax of their scores at a known temperature. */
  function examples(temperature: number, count: number) {
    const next = makeRandom(7)
    return Array.from({ length: count }, () => {
      const scores = [0, 1, 2].map(() => 8 * next() - 4)
      const probabilities = softmax(scores, temperature)
      const coin = next()
      const [a, b] = probabilities as [number, number]
      return { scores, label: coin < a ? 0 : coin < a + b ? 1 : 2 }
    })
  }

  test.each([0.5, 1, 3])('under which labels were drawn, %d, is found', (temperature) => {
    expect(Math.abs(fitTemperature(examples(temperature, 2000)) / temperature - 1)).toBeLessThan(0.15)
  })

  test('stays in its bounds when every label is right, and when every one is wrong', () => {
    expect(fitTemperature([{ scores: [5, 0], label: 0 }])).toBeCloseTo(1 / 20, 6)
    expect(fitTemperature([{ scores: [5, 0], label: 1 }])).toBeCloseTo(20, 3)
  })
})

describe('the threshold', () => {
  const judged = (text: string) =>
    text.split(' ').map((each) => ({ confidence: Number.parseFloat(each), isRight: each.endsWith('+') }))

  test('lies half way between what is wrong and what is right', () => {
    expect(fitThreshold(judged('.1- .2- .6+ .9+'), 0.5)).toBeCloseTo(0.4, 12)
  })

  test('is 0 where all is right, and nowhere where nothing is', () => {
    expect(fitThreshold(judged('.1+ .2+'), 0.5)).toBe(0)
    expect(fitThreshold(judged('.1- .2-'), 0.5)).toBe(Infinity)
  })

  test('pools what is out of order, and equal confidences', () => {
    expect(fitThreshold(judged('.1- .3+ .4- .5+ .9+'), 0.9)).toBeCloseTo(0.45, 12)
    expect(fitThreshold(judged('.5+ .5- .5- .9+'), 0.5)).toBeCloseTo(0.7, 12)
  })

  test('grows with what is wanted', () => {
    const lists = fc.array(
      fc.record({ confidence: fc.double({ min: 0, max: 1, noNaN: true }), isRight: fc.boolean() }),
      {
        minLength: 1,
      },
    )
    fc.assert(
      fc.property(lists, fc.double({ min: 0, max: 1, noNaN: true }), (list, wanted) => {
        expect(fitThreshold(list, wanted)).toBeLessThanOrEqual(fitThreshold(list, Math.min(1, wanted + 0.1)))
      }),
    )
  })
})
