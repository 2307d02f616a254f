import { describe, expect, test } from 'vitest'
import { createSampler } from '../../src/sampling/sampler.ts'
import {
  describeRange,
  GREEDY,
  resolveSampling,
  SAMPLING_RANGES,
  type SamplingRange,
} from '../../src/sampling/sampling-params.ts'

const ranges: [string, SamplingRange][] = Object.entries(SAMPLING_RANGES)
const refuses = (options: object, message: string) =>
  expect(() => resolveSampling(options)).toThrow(expect.objectContaining({ code: 'usage', message }))

describe('layers', () => {
  test('nothing is greedy with everything off', () => {
    expect(resolveSampling()).toEqual(GREEDY)
    expect(resolveSampling({}, { topK: undefined })).toEqual(GREEDY)
  })

  test('the later one wins, what is undefined does not count', () => {
    const params = resolveSampling(
      { temperature: 0.7, topK: 50 },
      { temperature: 0, topK: undefined, seed: 4n },
    )
    expect(params).toEqual({ ...GREEDY, temperature: 0, topK: 50, seed: 4n })
  })

  test('no step is on by default', () => {
    const row = Float32Array.of(1, 2, 3)
    const { probabilities } = createSampler(
      { temperature: 1 },
      { vocabSize: 3, stopTokenIds: [2] },
    ).distribution(row)
    expect(probabilities.length).toBe(3)
    expect([...row]).toEqual([1, 2, 3])
  })
})

describe.each(ranges)('%s', (field, range) => {
  const { min, max, whole, above, below } = range

  test('takes both ends, where they belong to the range', () => {
    const inside = whole ? 1 : 1e-9
    for (const value of [above ? min + inside : min, below ? max - inside : max]) {
      expect(resolveSampling({ [field]: value })).toHaveProperty(field, value)
    }
  })

  test('refuses everything else and names the range', () => {
    const outside = [
      above ? min : min - 1,
      below ? max : max + 1,
      Number.NaN,
      Infinity,
      -Infinity,
      ...(whole ? [1.5] : []),
    ]
    for (const value of outside)
      refuses({ [field]: value }, `${range.name}: ${value} is not ${describeRange(range)}`)
  })
})

test('messages read like this', () => {
  refuses({ temperature: -1 }, 'temperature: -1 is not a number from 0 to 100')
  refuses({ topK: 2.5 }, 'top-k: 2.5 is not a whole number from 0 to 2147483647')
  refuses({ typicalP: 0 }, 'typical-p: 0 is not a number above 0, up to 1')
  refuses({ epsilon: 1 }, 'epsilon: 1 is not a number from 0, below 1')
  refuses({ seed: -1n }, 'seed: -1 is not a whole number from 0 to 18446744073709551615')
  refuses(
    { seed: 2n ** 64n },
    'seed: 18446744073709551616 is not a whole number from 0 to 18446744073709551615',
  )
  refuses({ logitBias: new Map([[4, 101]]) }, 'logit-bias: 101 is not a number from -100 to 100')
  refuses({ logitBias: new Map([[-4, 1]]) }, 'token id: -4 is not a whole number from 0 to 2147483647')
  refuses({ bannedIds: [1.5] }, 'token id: 1.5 is not a whole number from 0 to 2147483647')
  refuses({ bannedSequences: [[1, -2]] }, 'token id: -2 is not a whole number from 0 to 2147483647')
  refuses({ bannedSequences: [[]] }, 'banned sequence: it has no ids')
})

test('a bias needs an id of the model', () => {
  const open = (id: number) =>
    createSampler({ logitBias: new Map([[id, 1]]) }, { vocabSize: 10, stopTokenIds: [] })
  expect(() => open(9)).not.toThrow()
  expect(() => open(10)).toThrow(
    expect.objectContaining({ code: 'usage', message: 'logit-bias: 10 is not a token id from 0 to 9' }),
  )
})
