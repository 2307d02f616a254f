import { describe, expect, test } from 'vitest'
import type { LogitsProcessor } from '../../src/sampling/logits-processor.ts'
import { createSampler } from '../../src/sampling/sampler.ts'
import type { SamplingOptions } from '../../src/sampling/sampling-params.ts'

const model = { vocabSize: 6, stopTokenIds: new Set([5]) }
const row = () => Float32Array.of(1, 3, 2, 3, -Infinity, 0)
const modes: readonly (readonly [string, SamplingOptions])[] = [
  ['greedy', {}],
  ['temperature', { temperature: 1 }],
  ['top-k', { temperature: 1, topK: 3 }],
  ['top-p', { temperature: 1, topP: 0.9 }],
  ['min-p', { temperature: 1, minP: 0.1 }],
  ['typical-p', { temperature: 1, typicalP: 0.9 }],
]

describe('greedy', () => {
  test('takes the lowest of the most likely ids', () => {
    expect(createSampler({}, model).sample(row())).toBe(1)
  })

  test('leaves filters aside but not penalties, bias and bans', () => {
    const take = (options: SamplingOptions) => createSampler(options, model).sample(row())
    expect(take({ typicalP: 0.01, topK: 1 })).toBe(1)
    expect(take({ bannedIds: [1] })).toBe(3)
    expect(take({ logitBias: new Map([[0, 2.5]]) })).toBe(0)
  })

  test('shows one id with certainty', () => {
    const { ids, probabilities } = createSampler({}, model).distribution(row())
    expect([[...ids], [...probabilities]]).toEqual([[1], [1]])
  })
})

describe.each(modes)('logits that cannot be sampled (%s)', (_name, options) => {
  const sampleAt = (id: number, value: number) => {
    const logits = row()
    logits[id] = value
    return () => createSampler(options, model).sample(logits)
  }

  test.each([0, 1, 4, 5])('NaN and +Infinity at id %d', (id) => {
    const failed = { code: 'failed' }
    expect(sampleAt(id, Number.NaN)).toThrow(
      expect.objectContaining({ ...failed, message: `step 1: the logit of id ${id} is NaN` }),
    )
    expect(sampleAt(id, Infinity)).toThrow(
      expect.objectContaining({ ...failed, message: `step 1: the logit of id ${id} is Infinity` }),
    )
  })

  test('nothing but -Infinity', () => {
    const sample = () => createSampler(options, model).sample(new Float32Array(6).fill(-Infinity))
    expect(sample).toThrow('step 1: every id is at -Infinity')
  })

  test('the step is named, and stays the next one', () => {
    const sampler = createSampler(options, model)
    sampler.accept([1, 2, 3])
    sampler.sample(row())
    sampler.sample(row())
    expect(() => sampler.sample(new Float32Array(6).fill(Number.NaN))).toThrow('step 3:')
    expect(sampler.step).toBe(3)
  })

  test('a row of another length is a bug of the caller', () => {
    expect(() => createSampler(options, model).sample(new Float32Array(5))).toThrow(
      expect.objectContaining({ code: 'internal' }),
    )
  })
})

test('a temperature so small that scores overflow is as good as greedy', () => {
  for (const [, options] of modes.slice(1)) {
    const sampler = createSampler({ ...options, temperature: 1e-45 }, model)
    expect(sampler.sample(row())).toBe(1)
    expect(sampler.sample(Float32Array.of(-7, -6, -6, -9, -8, -Infinity))).toBe(1)
  }
})

test('scores that overflow on the other side are as good as -Infinity', () => {
  for (const [, options] of [...modes.slice(1), ['both', { topK: 4, typicalP: 0.9 }] as const]) {
    const sampler = createSampler({ ...options, temperature: 1e-36 }, model)
    const { ids, probabilities } = sampler.distribution(Float32Array.of(-1, -400, -1, -400, -400, -400))
    expect([[...ids], [...probabilities]]).toEqual([
      [0, 2],
      [0.5, 0.5],
    ])
  }
})

test('an id that cannot be drawn at all is never drawn', () => {
  const logits = Float32Array.of(-2000, 0, -2000, -Infinity, 0, -2000)
  for (const [, options] of modes.slice(1)) {
    const sampler = createSampler({ ...options, seed: 3n }, model)
    for (let i = 0; i < 200; i++) expect([1, 4]).toContain(sampler.sample(logits.slice()))
  }
})

describe('cuts that are met exactly', () => {
  const keptOfEqual = (options: SamplingOptions) => {
    const sampler = createSampler({ temperature: 1, ...options }, { vocabSize: 8, stopTokenIds: [] })
    return [...sampler.distribution(new Float32Array(8)).ids]
  }

  test('top-p stops where its share is reached, keeping the lower ids', () => {
    expect(keptOfEqual({ topP: 0.5 })).toEqual([0, 1, 2, 3])
    expect(keptOfEqual({ topP: 0.5 + 2 ** -40 })).toEqual([0, 1, 2, 3, 4])
    expect(keptOfEqual({ topP: 0 })).toEqual([0])
    expect(keptOfEqual({ topK: 3, topP: 0.25 })).toEqual([0, 1])
  })

  test('the other filters keep all that are as likely as the last', () => {
    for (const options of [{ topK: 1 }, { minP: 1 }, { typicalP: 0.1 }, { epsilon: 0.125 }, { eta: 0.9 }]) {
      expect(keptOfEqual(options)).toHaveLength(8)
    }
  })
})

describe('seeds', () => {
  test('are kept, or fresh', () => {
    expect(createSampler({ seed: 7n }, model).seed).toBe(7n)
    expect(createSampler({}, model).seed).not.toBe(createSampler({}, model).seed)
  })

  test('a fresh one, given again, repeats the run', () => {
    const first = createSampler({ temperature: 2 }, model)
    const ids = Array.from({ length: 50 }, () => first.sample(row()))
    const second = createSampler({ temperature: 2, seed: first.seed }, model)
    expect(ids.map(() => second.sample(row()))).toEqual(ids)
    expect(new Set(ids).size).toBeGreaterThan(2)
  })
})

describe('processors of the request', () => {
  test('run last, see every id, and may mask', () => {
    const seen: [number, boolean][] = []
    const mask: LogitsProcessor = {
      process: (logits) => {
        expect(logits[2]).toBe(-Infinity)
        logits[1] = -Infinity
      },
      accept: (id, sampled) => seen.push([id, sampled]),
    }
    const sampler = createSampler({ bannedIds: [2] }, model, [mask])
    sampler.accept(Int32Array.of(4, 0))
    expect(sampler.sample(row())).toBe(3)
    expect(seen).toEqual([
      [4, false],
      [0, false],
      [3, true],
    ])
  })
})

describe('min-new-tokens', () => {
  test('holds back every end id until so many ids were sampled, the prompt not counted', () => {
    const sampler = createSampler({ minNewTokens: 2 }, model)
    const end = () => Float32Array.of(0, 0, 1, 0, 0, 9)
    sampler.accept([1, 1, 1])
    expect([1, 2, 3].map(() => sampler.sample(end()))).toEqual([2, 2, 5])
  })
})

describe('the penalty window', () => {
  test('ids the model has no logit for take room but do no harm', () => {
    const sampler = createSampler({ repetitionPenalty: 2, repeatLastN: 2 }, model)
    sampler.accept([1, 3, 1000, 1001])
    expect(sampler.sample(row())).toBe(1)
    expect(sampler.sample(row())).toBe(3)
  })

  test('of nothing does nothing', () => {
    const sampler = createSampler({ repetitionPenalty: 50, presencePenalty: 2, repeatLastN: 0 }, model)
    sampler.accept([1, 3])
    expect([1, 2, 3].map(() => sampler.sample(row()))).toEqual([1, 1, 1])
  })

  test('presence and frequency count what was sampled, not the prompt', () => {
    const sampler = createSampler({ presencePenalty: 0.5, frequencyPenalty: 0.25 }, model)
    sampler.accept([1, 1, 1, 1])
    expect(sampler.sample(row())).toBe(1)
    expect(sampler.sample(row())).toBe(3)
    const logits = row()
    sampler.distribution(logits)
    expect([...logits]).toEqual([1, 2.25, 2, 2.25, -Infinity, 0])
  })
})

describe('logprobs', () => {
  const normalizer = Math.log(Math.exp(1) + 2 * Math.exp(3) + Math.exp(2) + 1)

  test('are of the logits as the model gave them', () => {
    const options = { temperature: 0.3, topK: 1, bannedIds: [1, 3], logprobs: 3, repetitionPenalty: 2 }
    const sampler = createSampler(options, model)
    sampler.accept([1, 3])
    expect(sampler.logprobs).toBeUndefined()
    expect(sampler.sample(row())).toBe(2)
    expect(sampler.logprobs!.logprob).toBeCloseTo(2 - normalizer, 12)
    expect(sampler.logprobs!.top.map(({ id }) => id)).toEqual([1, 3, 2])
    expect(sampler.logprobs!.top[0]!.logprob).toBeCloseTo(3 - normalizer, 12)
  })

  test('of equally likely ids name the lower ones, and none that are impossible', () => {
    const top = (logprobs: number) => {
      const sampler = createSampler({ logprobs }, model)
      sampler.sample(row())
      return sampler.logprobs!.top.map(({ id }) => id)
    }
    expect([0, 1, 2, 5, 100].map(top)).toEqual([[], [1], [1, 3], [1, 3, 2, 0, 5], [1, 3, 2, 0, 5]])
  })

  test('sum to 1', () => {
    const sampler = createSampler({ logprobs: 100 }, model)
    sampler.sample(row())
    expect(sampler.logprobs!.top.reduce((sum, { logprob }) => sum + Math.exp(logprob), 0)).toBeCloseTo(1, 12)
  })

  test('are not computed unless asked for', () => {
    const sampler = createSampler({}, model)
    sampler.sample(row())
    expect(sampler.logprobs).toBeUndefined()
  })
})
