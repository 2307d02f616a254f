/** A mask is as if the logits of all ids that it leaves out were -Infinity, on every chain, to the coin. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Candidates } from '../../src/sampling/candidates.ts'
import { RowDraw } from '../../src/sampling/categorical.ts'
import type { AllowedIds } from '../../src/sampling/masked-row.ts'
import type { Generator } from '../../src/sampling/rng.ts'
import { createSampler } from '../../src/sampling/sampler.ts'
import type { SamplingOptions } from '../../src/sampling/sampling-params.ts'
import { scanAll } from '../../src/sampling/scan.ts'

const RUNS = Number(process.env.SPOUT_RUNS ?? 1)
const SIZE = 700

const unit = fc.double({ min: 0, max: 1, noNaN: true })
const ids = fc.integer({ min: 0, max: SIZE - 1 })
const chain: fc.Arbitrary<SamplingOptions> = fc.record(
  {
    temperature: fc.oneof(fc.constant(0), fc.constant(1e-9), fc.double({ min: 0.05, max: 5, noNaN: true })),
    topK: fc.integer({ min: 0, max: 60 }),
    topP: unit,
    minP: unit,
    typicalP: fc.double({ min: 0.01, max: 1, noNaN: true }),
    epsilon: fc.double({ min: 0, max: 0.99, noNaN: true }),
    eta: fc.double({ min: 0, max: 0.99, noNaN: true }),
    repetitionPenalty: fc.double({ min: 0.5, max: 2, noNaN: true }),
    presencePenalty: fc.double({ min: -2, max: 2, noNaN: true }),
    frequencyPenalty: fc.double({ min: -2, max: 2, noNaN: true }),
    repeatLastN: fc.integer({ min: -1, max: 20 }),
    noRepeatNgramSize: fc.integer({ min: 0, max: 3 }),
    bannedIds: fc.array(ids, { maxLength: 30 }),
    minNewTokens: fc.integer({ min: 0, max: 3 }),
    logitBias: fc
      .array(fc.tuple(ids, fc.double({ min: -100, max: 100, noNaN: true })), { maxLength: 5 })
      .map((pairs) => new Map(pairs)),
    logprobs: fc.constantFrom(undefined, 0, 3),
  },
  { requiredKeys: ['temperature'] },
)
const allowed = fc.oneof(
  fc.uniqueArray(ids, { minLength: 1, maxLength: 40 }),
  fc.uniqueArray(ids, { minLength: 300, maxLength: SIZE }),
)

const model = { vocabSize: SIZE, stopTokenIds: [0, 5] }

/** Some of them tie, some are -Infinity. */
function rowOf(seed: number): Float32Array {
  let state = seed | 1
  return Float32Array.from({ length: SIZE }, () => {
    state = Math.imul(state ^ (state >>> 13), 0x5bd1e995)
    return state % 17 === 0 ? -Infinity : (state % 4096) / 256
  })
}

function maskOf(list: readonly number[], how: 'ids' | 'bits'): AllowedIds {
  if (how === 'ids') return { ids: Int32Array.from(list).sort() }
  const bits = new Uint32Array(Math.ceil(SIZE / 32))
  for (const id of list) bits[id >> 5]! |= 1 << (id & 31)
  return { bits }
}

test.each(['ids', 'bits'] as const)('a mask of %s chooses as -Infinity would', (how) => {
  fc.assert(
    fc.property(
      chain,
      fc.array(allowed, { minLength: 1, maxLength: 6 }),
      fc.integer(),
      (options, lists, seed) => {
        let list = lists[0]!
        const masked = createSampler({ ...options, seed: BigInt(seed >>> 0) }, model, [], {
          allowed: () => maskOf(list, how),
        })
        const plain = createSampler({ ...options, seed: BigInt(seed >>> 0) }, model, [
          {
            process: (row) => {
              for (let id = 0; id < SIZE; id++) if (!list.includes(id)) row[id] = -Infinity
            },
          },
        ])
        for (const accepted of [masked, plain]) accepted.accept([1, 2, 3, 4])
        for (const [i, each] of lists.entries()) {
          list = each
          let expected: number
          try {
            expected = plain.sample(rowOf(seed + i))
          } catch {
            return // Bans have emptied it: the plain way knows no way on.
          }
          expect(masked.sample(rowOf(seed + i))).toBe(expected)
          expect(masked.logprobs).toEqual(plain.logprobs)
          expect(masked.overruled).toBe(false)
        }
      },
    ),
    { numRuns: 600 * RUNS },
  )
})

test.each(['ids', 'bits'] as const)(
  'bans that would empty a mask of %s are passed over, for that step only',
  (how) => {
    let list = [7, 9]
    const options: SamplingOptions = { temperature: 0, bannedIds: [7, 9], logitBias: new Map([[9, 50]]) }
    const sampler = createSampler(options, model, [], { allowed: () => maskOf(list, how) })
    // The bias still counts.
    expect(sampler.sample(new Float32Array(SIZE))).toBe(9)
    expect(sampler.overruled).toBe(true)
    list = [7, 8, 9]
    expect(sampler.sample(new Float32Array(SIZE))).toBe(8)
  },
)

test.each(['ids', 'bits'] as const)('a mask of %s without a score is an error that names the step', (how) => {
  const sampler = createSampler({ temperature: 1 }, model, [], { allowed: () => maskOf([3], how) })
  const row = new Float32Array(SIZE)
  row[3] = -Infinity
  expect(() => sampler.sample(row)).toThrow('step 1: every id is at -Infinity')
})

test('what is not a number is named by its id', () => {
  const sampler = createSampler({ temperature: 0 }, model, [], { allowed: () => maskOf([3, 600], 'ids') })
  const row = new Float32Array(SIZE)
  row[600] = Number.NaN
  expect(() => sampler.sample(row)).toThrow('the logit of id 600 is NaN')
  // One that is masked is no matter.
  row[600] = 0
  row[4] = Number.NaN
  expect(
    createSampler({ temperature: 0 }, model, [], { allowed: () => maskOf([3, 600], 'ids') }).sample(row),
  ).toBe(3)
})

test('ids beyond the row, as a tokenizer may have them, are none', () => {
  for (const how of ['ids', 'bits'] as const) {
    const small = createSampler({ temperature: 0 }, { vocabSize: 40, stopTokenIds: [] }, [], {
      allowed: () => maskOf([2, 39, 40, 500], how),
    })
    const row = new Float32Array(40)
    row[39] = 1
    expect(small.sample(row)).toBe(39)
  }
})

test('ids that the mask exempts meet no penalty', () => {
  const mask = { allowed: () => undefined, isExempt: (id: number) => id === 2 }
  const sampler = createSampler({ temperature: 0, repetitionPenalty: 2, presencePenalty: 1 }, model, [], mask)
  const row = Float32Array.from({ length: SIZE }, (_, id) => (id === 1 ? 3 : id === 2 ? 2 : 0))
  expect(Array.from({ length: 4 }, () => sampler.sample(row.slice()))).toEqual([1, 2, 2, 2])
})

test('the greatest coin draws no id that is masked, wherever rounding leaves the sum', () => {
  const generator = { coin: 1 - 2 ** -53, flip: () => {} } as Generator
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 0, max: 299 }), { minLength: 1, maxLength: 80 }),
      fc.nat(),
      (open, salt) => {
        const row = new Float32Array(300).fill(-Infinity)
        for (const id of open) row[id] = Math.sin(id * 37 + salt) * 9
        const candidates = new Candidates(300, 1.3)
        scanAll(row, candidates)
        expect(row[new RowDraw(300).draw(row, candidates, generator)]).toBeGreaterThan(-Infinity)
      },
    ),
    { numRuns: 2000 * RUNS },
  )
})
