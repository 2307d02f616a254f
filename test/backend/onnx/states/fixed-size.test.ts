/** States whose size does not depend on the text: allocated once, zero at the start, freed once. */
import { describe, expect, test } from 'vitest'
import { SwappedStates } from '../../../../src/backend/onnx/states/swapped-states.ts'
import { WindowBuffers } from '../../../../src/backend/onnx/states/window-buffers.ts'
import { countingSession } from '../../../support/counting-session.ts'

const SLOTS = ['a', 'b'].map((name) => ({
  past: `past.${name}`,
  present: `present.${name}`,
  type: 'float32' as const,
  dims: [1, 2, 3],
}))
const zeros = new Float32Array(6)

describe('windows', () => {
  const opened = () => {
    const counted = countingSession()
    return {
      ...counted,
      group: new WindowBuffers(
        counted.session,
        SLOTS.map((slot) => ({ ...slot, kind: 'window' })),
      ),
    }
  }

  test('are allocated with the first run, zero, and bound as input and output', () => {
    const { group, made, bound } = opened()
    group.bind(0, 3, true)
    expect(made.map(({ data }) => data)).toEqual([zeros, zeros])
    for (const [i, { past, present }] of SLOTS.entries()) {
      expect([bound.get(past), bound.get(present)]).toEqual([made[i], made[i]])
    }
  })

  test('stay for the runs to come, and are bound again only when told so', () => {
    const { group, made, bound } = opened()
    group.bind(0, 3, true)
    made[0]!.data.fill(7)
    bound.clear()
    group.bind(3, 1, false)
    expect([made.length, bound.size]).toEqual([2, 0])
    group.bind(4, 1, true)
    expect([made.length, bound.size]).toEqual([2, 4])
    expect(made[0]!.data[0]).toBe(7)
  })

  test('go back to a mark, and are freed once', () => {
    const { group, made } = opened()
    group.bind(0, 3, true)
    made[0]!.data.fill(7)
    group.mark()
    made[0]!.data.fill(9)
    group.restore()
    expect(made[0]!.data[5]).toBe(7)
    group.dispose()
    group.dispose()
    expect(made.map(({ disposals }) => disposals)).toEqual(made.map(() => 1))
  })
})

describe('states that change places', () => {
  const opened = () => {
    const counted = countingSession()
    const slots = SLOTS.map((slot) => ({ ...slot, kind: 'fixed' as const, carries: true }))
    return { ...counted, group: new SwappedStates(counted.session, slots) }
  }

  test('are read from zeros at first, then from what was written', () => {
    const { group, made, bound } = opened()
    group.bind()
    expect(made).toHaveLength(4)
    expect(SLOTS.map(({ past }) => (bound.get(past) as (typeof made)[0]).data)).toEqual([zeros, zeros])
    const written = SLOTS.map(({ present }) => bound.get(present))
    expect(written.some((tensor) => SLOTS.some(({ past }) => bound.get(past) === tensor))).toBe(false)
    group.commit()
    group.bind()
    expect(SLOTS.map(({ past }) => bound.get(past))).toEqual(written)
    expect(made).toHaveLength(4)
  })

  test('are freed once', () => {
    const { group, made } = opened()
    group.bind()
    group.dispose()
    group.dispose()
    expect(made.map(({ disposals }) => disposals)).toEqual([1, 1, 1, 1])
  })
})
