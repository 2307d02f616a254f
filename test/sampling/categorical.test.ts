/** Draws follow the probabilities: chi-squared over 100,000 draws with fixed seeds. */
import { describe, expect, test } from 'vitest'
import { Candidates } from '../../src/sampling/candidates.ts'
import { draw, RowDraw } from '../../src/sampling/categorical.ts'
import type { Generator } from '../../src/sampling/rng.ts'
import { createSampler } from '../../src/sampling/sampler.ts'
import type { SamplingOptions } from '../../src/sampling/sampling-params.ts'
import { scanAll } from '../../src/sampling/scan.ts'

const DRAWS = 100_000

const rows = {
  uniform: new Float32Array(64),
  slope: Float32Array.from({ length: 100 }, (_, id) => -id / 20),
  peaked: Float32Array.from({ length: 50 }, (_, id) => (id === 31 ? 3 : 0)),
  'blocks and holes': Float32Array.from({ length: 300 }, (_, id) =>
    id % 7 === 0 ? -Infinity : Math.sin(id) * 2,
  ),
  pair: Float32Array.of(0.25, -0.25),
}
const cases: readonly (readonly [keyof typeof rows, SamplingOptions])[] = [
  ['uniform', { temperature: 1 }],
  ['slope', { temperature: 1 }],
  ['slope', { temperature: 1.3, topK: 20 }],
  ['peaked', { temperature: 1 }],
  ['peaked', { temperature: 0.6, minP: 0.01 }],
  ['blocks and holes', { temperature: 1 }],
  ['blocks and holes', { temperature: 0.8, topP: 0.7 }],
  ['pair', { temperature: 1 }],
]

test.each(cases)('%s with %o', (name, options) => {
  const { counts, expected } = drawMany(rows[name], options)
  for (const [id, mean] of expected.entries()) if (mean === 0) expect(counts[id]).toBe(0)
  expect(chiSquaredScore(counts, expected)).toBeLessThan(3.3)
})

test('the statistic notices draws from a slightly other distribution', () => {
  const { counts } = drawMany(rows.slope, { temperature: 1 })
  const { expected } = drawMany(rows.slope, { temperature: 1.06 })
  expect(chiSquaredScore(counts, expected)).toBeGreaterThan(5)
})

describe('the ends of the coin', () => {
  // Ids that cannot be drawn at both ends, in blocks of their own and beside others.
  const impossible = new Set([0, 1, 64, 65, 255, 298, 299])
  const row = Float32Array.from({ length: 300 }, (_, id) => {
    if (id === 66) return -2000
    return id < 64 || impossible.has(id) ? -Infinity : 0
  })

  test.each([
    [0, 67],
    [1 - 2 ** -53, 297],
  ])('a coin of %d draws id %d', (coin, id) => {
    const generator = { coin, flip: () => {} } as Generator
    const candidates = new Candidates(row.length, 1)
    scanAll(row, candidates)
    expect(new RowDraw(row.length).draw(row, candidates, generator)).toBe(id)
    candidates.gather(row)
    expect(draw(candidates, generator)).toBe(id)
  })
})

/** How often each id was drawn, and how often its probability (an independent softmax) says it should be. */
function drawMany(row: Float32Array, options: SamplingOptions) {
  const sampler = createSampler({ ...options, seed: 20_26n }, { vocabSize: row.length, stopTokenIds: [] })
  const { ids } = sampler.distribution(row.slice())
  const weights = [...ids].map((id) => Math.exp(row[id]! / options.temperature!))
  const total = weights.reduce((sum, weight) => sum + weight, 0)
  const expected = new Float64Array(row.length)
  for (const [i, id] of ids.entries()) expected[id] = (DRAWS * weights[i]!) / total
  const counts = new Float64Array(row.length)
  const logits = new Float32Array(row.length)
  for (let draw = 0; draw < DRAWS; draw++) {
    logits.set(row)
    counts[sampler.sample(logits)]! += 1
  }
  return { counts, expected }
}

/**
 * The chi-squared statistic as a standard normal score (Wilson and Hilferty's cube root). Cells that expect fewer
 * than 10 are added up into one.
 */
function chiSquaredScore(counts: Float64Array, expected: Float64Array): number {
  let statistic = 0
  let cells = 0
  const rest = { count: 0, expected: 0 }
  const add = (count: number, mean: number) => {
    statistic += (count - mean) ** 2 / mean
    cells++
  }
  for (const [id, mean] of expected.entries()) {
    if (mean >= 10) add(counts[id]!, mean)
    else {
      rest.count += counts[id]!
      rest.expected += mean
    }
  }
  if (rest.expected > 0) add(rest.count, rest.expected)
  const freedom = cells - 1
  if (freedom === 0) return 0
  const variance = 2 / (9 * freedom)
  return (Math.cbrt(statistic / freedom) - (1 - variance)) / Math.sqrt(variance)
}

describe('a coin that meets rounding', () => {
  const generator = { coin: 1 - 2 ** -53, flip: () => undefined } as Generator

  test('draws no id that cannot be drawn, from a row', () => {
    // One by one the ids of the second block are too light to change the sum; together they are not.
    const row = new Float32Array(128).fill(Number.NEGATIVE_INFINITY)
    row[0] = 0
    row.fill(-39, 64, 127)
    const candidates = new Candidates(row.length, 1)
    scanAll(row, candidates)
    expect(new RowDraw(row.length).draw(row, candidates, generator)).toBe(126)
  })

  test('nor from candidates', () => {
    const row = Float32Array.of(0, -1, -2000)
    const candidates = new Candidates(row.length, 1)
    scanAll(row, candidates)
    candidates.gather(row)
    expect([...candidates.weights]).toEqual([1, expect.any(Number), 0])
    // What filters have left is added up in another order.
    candidates.total *= 1 + 2 ** -50
    expect(draw(candidates, generator)).toBe(1)
  })
})
