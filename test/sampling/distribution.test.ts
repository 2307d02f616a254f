/** What a sampler would draw from, against fixtures/golden/sampling (made by fixtures/make/sampling_goldens.py). */
import { describe, expect, test } from 'vitest'
import { createSampler } from '../../src/sampling/sampler.ts'
import type { SamplingOptions } from '../../src/sampling/sampling-params.ts'
import { readGolden, unpackBits, unpackFloats } from './support/golden.ts'

interface Case {
  readonly row: string
  readonly options: Omit<SamplingOptions, 'logitBias'> & { logitBias?: [number, number][] }
  readonly keep: string
  readonly probabilities: string
}

const golden = readGolden<{
  vocab: number
  stops: number[]
  prompt: number[]
  sampled: number[]
  rows: Record<string, string>
  cases: Case[]
}>('distributions.json')

test('there are goldens', () => expect(golden.cases.length).toBeGreaterThan(130))

describe.each(golden.cases)('$options on $row', ({ options, row, keep, probabilities }) => {
  test('survivors and their probabilities', () => {
    const { ids, probabilities: ours } = openSampler(options).distribution(unpackFloats(golden.rows[row]!))
    const theirs = unpackFloats(probabilities)
    expect([...ids]).toEqual(unpackBits(keep))
    expect(Math.max(...ours.map((probability, i) => Math.abs(probability - theirs[i]!)))).toBeLessThan(1e-6)
  })
})

/** A sampler that has seen the prompt and has sampled the sampled ids. */
function openSampler({ logitBias, ...rest }: Case['options']) {
  const options = { temperature: 1, ...rest, logitBias: new Map(logitBias) }
  const sampler = createSampler(options, { vocabSize: golden.vocab, stopTokenIds: golden.stops })
  sampler.accept(golden.prompt)
  // An id that repeats a short run cannot be sampled; to that rule a prompt's ids are as good.
  if ((options.noRepeatNgramSize ?? 4) < 4) sampler.accept(golden.sampled)
  else for (const id of golden.sampled) sampler.sample(onlyPossible(id))
  return sampler
}

function onlyPossible(id: number): Float32Array {
  const logits = new Float32Array(golden.vocab).fill(-Infinity)
  logits[id] = 0
  return logits
}
