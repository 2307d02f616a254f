import { describe, expect, test } from 'vitest'
import { freshSeed, Generator, MAX_SEED } from '../../src/sampling/rng.ts'
import { createSampler } from '../../src/sampling/sampler.ts'
import type { SamplingOptions } from '../../src/sampling/sampling-params.ts'
import { readGolden, unpackFloats } from './support/golden.ts'

const golden = readGolden<{
  words: Record<string, number[]>
  uniforms: Record<string, number[]>
  row: string
  draws: { options: SamplingOptions; seed: string; ids: number[] }[]
}>('draws.json')

test.each(Object.entries(golden.words))(
  'seed %s gives the words of another implementation',
  (seed, words) => {
    const generator = new Generator(BigInt(seed))
    expect(words.map(() => generator.next() >>> 0)).toEqual(words)
  },
)

test.each(Object.entries(golden.uniforms))('seed %s gives its coins, bit by bit', (seed, coins) => {
  const generator = new Generator(BigInt(seed))
  expect(coins.map(() => flip(generator))).toEqual(coins)
})

describe.each(golden.draws)('$options with seed $seed', ({ options, seed, ids }) => {
  test('draws the ids of another implementation', () => {
    const row = unpackFloats(golden.row)
    const model = { vocabSize: row.length, stopTokenIds: [] }
    const sampler = createSampler({ ...options, seed: BigInt(seed) }, model)
    expect(ids.map(() => sampler.sample(row.slice()))).toEqual(ids)
  })
})

test('coins lie in [0, 1) and have 53 bits', () => {
  const generator = new Generator(5n)
  const coins = Array.from({ length: 10_000 }, () => flip(generator))
  expect(Math.min(...coins)).toBeGreaterThanOrEqual(0)
  expect(Math.max(...coins)).toBeLessThan(1)
  expect(coins.every((coin) => Number.isInteger(coin * 2 ** 53))).toBe(true)
  expect(coins.some((coin) => (coin * 2 ** 53) % 2 === 1)).toBe(true)
})

test('seeds that differ in one bit give other coins', () => {
  const first = (seed: bigint) => flip(new Generator(seed))
  const coins = Array.from({ length: 64 }, (_, bit) => first(1n << BigInt(bit)))
  expect(new Set([...coins, first(0n), first(MAX_SEED)]).size).toBe(66)
})

test('a fresh seed is new each time and survives JSON', () => {
  const seeds = Array.from({ length: 50 }, freshSeed)
  expect(new Set(seeds).size).toBe(50)
  for (const seed of seeds) expect(BigInt(JSON.parse(JSON.stringify(Number(seed))))).toBe(seed)
})

function flip(generator: Generator): number {
  generator.flip()
  return generator.coin
}
