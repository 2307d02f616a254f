/**
 * The 52 chains of logits processors in ../shared/data/sampling, made by Python's transformers on five rows of logits of
 * two vocabularies: which ids survive, and with which probability.
 */
import { existsSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { createSampler, type Distribution } from '../../src/sampling/sampler.ts'
import type { SamplingOptions } from '../../src/sampling/sampling-params.ts'
import { readNpyRows, unpackBits } from './support/golden.ts'

const FOLDER = new URL('../../../shared/data/sampling/', import.meta.url)

interface Row {
  readonly n: number
  readonly keep: string
  readonly top: readonly (readonly [number, number])[]
}
interface Reference {
  readonly vocab: number
  readonly contexts: readonly (readonly number[])[]
  readonly vectors: readonly string[]
  readonly chains: Readonly<
    Record<string, { readonly processors: readonly string[]; readonly rows: readonly Row[] }>
  >
}

const OPTIONS: Readonly<Record<string, (value: never) => SamplingOptions>> = {
  temperature: (temperature: number) => ({ temperature }),
  top_k: (topK: number) => ({ topK }),
  top_p: (topP: number) => ({ topP }),
  min_p: (minP: number) => ({ minP }),
  typical_p: (typicalP: number) => ({ typicalP }),
  epsilon_cutoff: (epsilon: number) => ({ epsilon }),
  eta_cutoff: (eta: number) => ({ eta }),
  repetition_penalty: (repetitionPenalty: number) => ({ repetitionPenalty }),
  no_repeat_ngram_size: (noRepeatNgramSize: number) => ({ noRepeatNgramSize }),
  suppress_tokens: (bannedIds: number[]) => ({ bannedIds }),
  bad_words_ids: (words: number[][]) => ({
    bannedIds: words.filter((ids) => ids.length === 1).flat(),
    bannedSequences: words.filter((ids) => ids.length > 1),
  }),
  min_new_tokens: (minNewTokens: number) => ({ minNewTokens }),
  eos: () => ({}),
}

/** What a chain's name says, as options; a chain without a temperature has 1. */
function parseChain(name: string): SamplingOptions {
  const fields = name.replace('generate:', '').matchAll(/(\w+)=(\[.*\]|[^,]+)/g)
  return Object.assign(
    { temperature: 1 },
    ...[...fields].map(([, key, value]) => OPTIONS[key!]!(JSON.parse(value!) as never)),
  )
}

const absent = !existsSync(FOLDER)

describe.each(['toy2000', 'llama49152'])('%s', (name) => {
  if (absent) return test.skip('the reference chains (needs ../shared/data)')
  const reference: Reference = JSON.parse(readFileSync(new URL(`${name}.json`, FOLDER), 'utf8'))
  const rows = readNpyRows(readFileSync(new URL(`${name}.logits.npy`, FOLDER)))
  const chains = Object.keys(reference.chains)

  test('there are 52 chains of 5 rows', () => {
    expect(chains.map((chain) => reference.chains[chain]!.rows.length)).toEqual(Array(52).fill(5))
  })

  test.each(chains)('%s', (chain) => {
    reference.chains[chain]!.rows.forEach((expected, at) => {
      const sampler = createSampler(parseChain(chain), { vocabSize: reference.vocab, stopTokenIds: [2] })
      sampler.accept(reference.contexts[at]!)
      const ours = sampler.distribution(rows[at]!.slice())
      compare(ours, expected, { logits: rows[at]!, mayTakeNeighbour: chain.includes('typical_p=0.5') })
    })
  })
})

/**
 * The number of survivors is equal, and so are they, but for two liberties of the reference. Of equally likely ids at a
 * top-p cut it keeps those its sort happens to put last, we keep the lower ones. And where typical-p cuts tens of
 * thousands of ids, its float32 sums may take one neighbour for another.
 */
function compare(
  ours: Distribution,
  expected: Row,
  row: { logits: Float32Array; mayTakeNeighbour: boolean },
): void {
  const theirs = unpackBits(expected.keep)
  expect(ours.ids.length).toBe(expected.n)
  expect(theirs.length).toBe(expected.n)
  const vocab = row.logits.length
  const [extra, missing] = [without(ours.ids, theirs, vocab), without(theirs, ours.ids, vocab)]
  const byLogit = (ids: number[]) => ids.map((id) => row.logits[id]!).sort((a, b) => a - b)
  const isNeighbour = row.mayTakeNeighbour && extra.length === 1 && expected.n > 2000
  if (!isNeighbour) expect(byLogit(extra)).toEqual(byLogit(missing))
  const likely = Float64Array.from(ours.probabilities).sort().reverse()
  expected.top.forEach(([, probability], rank) => {
    expect(Math.abs(likely[rank]! - probability)).toBeLessThan(1e-6)
  })
}

function without(ids: Iterable<number>, others: Iterable<number>, vocab: number): number[] {
  const among = new Uint8Array(vocab)
  for (const id of others) among[id] = 1
  return [...ids].filter((id) => !among[id])
}
