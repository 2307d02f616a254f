/** Short steps run in place, and the event loop has its turn all the same. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { StepPace } from '../../src/onnx-runtime/step-pace.ts'

const STEP = { isStep: true, inPlace: true }

test('the first step, and one after a long step, go to a thread of the pool', () => {
  const pace = new StepPace()
  expect(pace.isInPlace(true)).toBe(false)
  pace.ran(0, 39.9, { isStep: true, inPlace: false })
  expect(pace.isInPlace(true)).toBe(true)
  pace.ran(40, 80, STEP)
  expect(pace.isInPlace(true)).toBe(false)
})

test('a prompt never runs in place, and says nothing of how long steps take', () => {
  const pace = new StepPace()
  pace.ran(0, 1, { isStep: false, inPlace: false })
  expect(pace.isInPlace(true)).toBe(false)
  pace.ran(1, 2, { isStep: true, inPlace: false })
  pace.ran(2, 5000, { isStep: false, inPlace: false })
  expect(pace.isInPlace(true)).toBe(true)
  expect(pace.isInPlace(false)).toBe(false)
})

test('the loop stands still for at most one step beyond 10 ms', () => {
  const step = fc.double({ min: 0.01, max: 39, noNaN: true })
  fc.assert(
    fc.property(fc.array(step, { minLength: 2, maxLength: 200 }), (steps) => {
      const pace = new StepPace()
      let now = 100
      let lastTurn = now
      for (const ms of steps) {
        const inPlace = pace.isInPlace(true)
        const started = now
        now += ms
        if (!inPlace) lastTurn = now
        if (pace.ran(started, now, { isStep: true, inPlace })) {
          expect(now - lastTurn).toBeGreaterThan(10)
          pace.turned(now)
          lastTurn = now
        }
        expect(now - lastTurn).toBeLessThanOrEqual(10)
      }
    }),
    { numRuns: 50 },
  )
})
