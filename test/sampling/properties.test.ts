/** What holds of every chain on every row, and equality with a plain chain that sorts. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createSampler } from '../../src/sampling/sampler.ts'
import type { SamplingOptions } from '../../src/sampling/sampling-params.ts'
import { PlainChain } from './support/plain-chain.ts'

/** No denormal numbers: differences that a subtraction loses are ties. */
const logit = (most: number) =>
  fc.float({ min: -most, max: most, noNaN: true }).map((value) => Math.round(value * 2 ** 20) / 2 ** 20)

/** Values with many ties, with few, and holes; at least one finite. */
const rows = fc
  .oneof(
    fc.array(
      fc.integer({ min: -12, max: 12 }).map((n) => n / 2),
      { minLength: 1, maxLength: 120 },
    ),
    fc.array(logit(30), { minLength: 1, maxLength: 300 }),
    fc.array(fc.oneof(fc.constant(-Infinity), logit(5)), {
      minLength: 1,
      maxLength: 90,
    }),
  )
  .map((values) => Float32Array.from(values))
  .filter((row) => row.some(Number.isFinite))

const unit = fc.double({ min: 0, max: 1, noNaN: true })
const filters = fc.record(
  {
    temperature: fc.double({ min: 0.05, max: 5, noNaN: true }),
    topK: fc.integer({ min: 0, max: 150 }),
    topP: unit,
    minP: unit,
    epsilon: fc.double({ min: 0, max: 0.99, noNaN: true }),
    eta: fc.double({ min: 0, max: 0.99, noNaN: true }),
  },
  { requiredKeys: ['temperature'] },
)
const typical = fc.record({ typicalP: fc.double({ min: 0.01, max: 1, noNaN: true }) })
const anyChain: fc.Arbitrary<SamplingOptions> = fc
  .tuple(filters, fc.option(typical, { nil: {} }))
  .map(([some, more]) => ({ ...some, ...more }))

const open = (options: SamplingOptions, vocabSize: number) =>
  createSampler(options, { vocabSize, stopTokenIds: [0] })
const distribution = (options: SamplingOptions, row: Float32Array) =>
  open(options, row.length).distribution(row.slice())

describe('filters', () => {
  test('never empty the set, keep the order of ids and sum to 1', () => {
    fc.assert(
      fc.property(rows, anyChain, (row, options) => {
        const { ids, probabilities } = distribution(options, row)
        expect(ids.length).toBeGreaterThan(0)
        expect([...ids]).toEqual([...new Set(ids)].sort((a, b) => a - b))
        expect(probabilities.reduce((sum, p) => sum + p, 0)).toBeCloseTo(1, 12)
        expect(ids.every((id) => row[id]! > -Infinity)).toBe(true)
      }),
      { numRuns: 1000 },
    )
  })

  test('keep the most likely id (all but typical-p, which may drop it by design)', () => {
    fc.assert(
      fc.property(rows, filters, (row, options) => {
        const scores = row.map((value) => value / Math.fround(options.temperature))
        expect(distribution(options, row).ids).toContain(scores.indexOf(Math.max(...scores)))
      }),
      { numRuns: 1000 },
    )
  })

  test('keep what a plain chain keeps that sorts', () => {
    fc.assert(
      fc.property(rows, anyChain, (row, options) => {
        const ours = distribution(options, row)
        const plain = new PlainChain(row, options)
        fc.pre(!plain.onEdge)
        expect([...ours.ids]).toEqual(plain.ids)
        const probabilities = plain.probabilities
        const apart = ours.probabilities.map((p, i) => Math.abs(p - probabilities[i]!))
        expect(Math.max(...apart)).toBeLessThan(5e-12)
      }),
      { numRuns: 4000 },
    )
  })
})

describe('draws', () => {
  const seeds = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })

  test('the same seed gives the same ids, whatever was looked at between', () => {
    fc.assert(
      fc.property(rows, anyChain, seeds, (row, options, seed) => {
        const [a, b] = [open({ ...options, seed }, row.length), open({ ...options, seed }, row.length)]
        for (let i = 0; i < 5; i++) {
          b.distribution(row.slice())
          expect(a.sample(row.slice())).toBe(b.sample(row.slice()))
        }
      }),
    )
  })

  test('one coin per id: a step without a choice shifts nothing', () => {
    const row = Float32Array.from({ length: 200 }, (_, id) => Math.cos(id))
    const certain = Float32Array.from({ length: 200 }, (_, id) => (id === 5 ? 0 : -Infinity))
    fc.assert(
      fc.property(anyChain, seeds, (options, seed) => {
        const [a, b] = [open({ ...options, seed }, 200), open({ ...options, seed }, 200)]
        a.sample(row.slice())
        expect(b.sample(certain.slice())).toBe(5)
        expect(a.sample(row.slice())).toBe(b.sample(row.slice()))
      }),
    )
  })

  test('only survivors are drawn', () => {
    fc.assert(
      fc.property(rows, anyChain, seeds, (row, options, seed) => {
        const sampler = open({ ...options, seed }, row.length)
        const { ids } = sampler.distribution(row.slice())
        expect(ids).toContain(sampler.sample(row.slice()))
      }),
    )
  })
})

describe('the penalty window', () => {
  const ids = fc.array(fc.nat(30), { maxLength: 60 })
  const penalties = fc.record({
    repetitionPenalty: fc.double({ min: 0.5, max: 2, noNaN: true }),
    presencePenalty: fc.double({ min: -2, max: 2, noNaN: true }),
    frequencyPenalty: fc.double({ min: -2, max: 2, noNaN: true }),
  })
  const row = Float32Array.from({ length: 25 }, (_, id) => Math.sin(id) * 3)
  const after = (context: readonly number[], options: SamplingOptions) => {
    const sampler = open({ temperature: 1, ...options }, row.length)
    sampler.accept(context)
    return sampler.distribution(row.slice())
  }

  test('the order of ids in it does not matter', () => {
    fc.assert(
      fc.property(ids, ids, penalties, (context, keys, options) => {
        const shuffled = context.map((id, i) => ({ id, key: keys[i] ?? 0 })).sort((a, b) => a.key - b.key)
        expect(
          after(
            shuffled.map(({ id }) => id),
            options,
          ),
        ).toEqual(after(context, options))
      }),
    )
  })

  test('what has left it is forgotten', () => {
    fc.assert(
      fc.property(ids, ids, penalties, (gone, context, options) => {
        const windowed = { ...options, repeatLastN: context.length }
        expect(after([...gone, ...context], windowed)).toEqual(after(context, options))
      }),
    )
  })
})
