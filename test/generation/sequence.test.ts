/** A text being continued: guesses change how much is run at once, and never what comes out. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Backend, KvCache } from '../../src/backend/backend.ts'
import { runForward } from '../../src/backend/run-forward.ts'
import type { Drafter } from '../../src/drafting/drafter.ts'
import { Sequence } from '../../src/generation/sequence.ts'
import type { SequenceParts } from '../../src/generation/sequence-parts.ts'
import { TextOut } from '../../src/generation/text-out.ts'
import { TokenOutputStream } from '../../src/generation/token-output-stream.ts'
import { createSampler } from '../../src/sampling/sampler.ts'
import { BYTE_EOS, byteTokenizer } from '../support/byte-tokenizer.ts'
import { collectingSink } from '../support/collecting-sink.ts'

const { vocabSize } = byteTokenizer
const MODEL = { vocabSize, stopTokenIds: new Set([BYTE_EOS]) }

/** A model whose next id depends on every id before it: what is left over in a cache shows. */
function chainedBackend() {
  const runs: number[][] = []
  const row = new Float32Array(vocabSize)
  const backend: Pick<Backend, 'forward'> = {
    async forward(ids, cache) {
      runs.push([...ids])
      const { held } = cache as HeldCache
      held.push(...ids)
      let hash = 7
      for (const id of held) hash = (Math.imul(hash, 31) + id + 1) >>> 0
      for (let id = 0; id < row.length; id++)
        row[id] = ((Math.imul(hash + id, 2654435761) >>> 0) % 1000) / 100
      row[BYTE_EOS] = hash % 40 === 0 ? 20 : -20
      return { row }
    },
  }
  return { backend, runs }
}

interface HeldCache extends KvCache {
  readonly held: number[]
}

function heldCache(): HeldCache {
  const held: number[] = []
  return {
    held,
    get length() {
      return held.length
    },
    canTrim: true,
    trim: (length) => void held.splice(length),
    mark: () => undefined,
    dispose: () => undefined,
  }
}

interface Setup {
  readonly prompt: Int32Array
  readonly seed: number
  readonly budget: number
  readonly most?: number
  readonly stopStrings?: readonly string[]
  readonly drafters?: readonly Drafter[]
  readonly onStep?: (text: Sequence, step: number) => void
}

async function write({ prompt, seed, budget, most = 16, stopStrings = [], drafters, onStep }: Setup) {
  const { backend, runs } = chainedBackend()
  const runner = runForward(backend)
  const kv = heldCache()
  const sink = collectingSink()
  const parts: SequenceParts = {
    kv,
    prompt,
    sampler: createSampler({ temperature: 1.5, seed: BigInt(seed), repetitionPenalty: 1.1 }, MODEL),
    out: new TextOut(new TokenOutputStream(byteTokenizer), sink, { stopStrings: stopStrings }),
    limits: { budget, atBudget: 'length', stopIds: new Set([BYTE_EOS]) },
    ...(drafters && { drafters }),
  }
  const text = new Sequence(parts)
  let steps = 0
  for (; text.finished === undefined; steps++) {
    onStep?.(text, steps)
    const part = text.next(most)
    expect(part.ids.length).toBeLessThanOrEqual(Math.max(most, 1))
    await text.take(await runner.run([part]), 0)
  }
  await text.end()
  const ids = [...text.chosen]
  return { ids, finished: text.finished, text: sink.text, held: kv.held, runs, steps }
}

/** Guesses what really comes, as far as it was told. */
function knowing(truth: readonly number[], prompt: number): Drafter {
  let seen = -prompt
  return {
    accept: () => void seen++,
    propose(into, most) {
      const guess = truth.slice(seen, seen + most)
      into.set(guess)
      return guess.length
    },
  }
}

const lying: Drafter = {
  accept: () => undefined,
  propose(into, most) {
    into.fill(3, 0, most)
    return most
  },
}

/** Right up to some id of each guess. */
function halfKnowing(truth: readonly number[], prompt: number, wrongAt: number): Drafter {
  const inner = knowing(truth, prompt)
  return {
    accept: (id) => inner.accept(id),
    propose(into, most) {
      const count = inner.propose(into, most)
      if (wrongAt < count) into[wrongAt] = (into[wrongAt]! + 1) % vocabSize
      return count
    },
  }
}

const setups = fc.record({
  prompt: fc
    .array(fc.integer({ min: 0, max: 255 }), { minLength: 1, maxLength: 20 })
    .map((ids) => Int32Array.from(ids)),
  seed: fc.nat(1_000_000),
  budget: fc.integer({ min: 1, max: 40 }),
  most: fc.integer({ min: 1, max: 12 }),
  stopStrings: fc.constantFrom([], ['e'], ['q', 'zz']),
})

test('with any drafter: the same ids, text, end and cache', async () => {
  await fc.assert(
    fc.asyncProperty(setups, fc.nat(8), async (setup, wrongAt) => {
      const plain = await write(setup)
      const length = setup.prompt.length
      expect(plain.held).toEqual([...setup.prompt, ...plain.ids].slice(0, plain.held.length))
      for (const drafter of [lying, knowing(plain.ids, length), halfKnowing(plain.ids, length, wrongAt)]) {
        const drafted = await write({ ...setup, drafters: [drafter] })
        const { ids, finished, text, held } = drafted
        expect({ ids, finished, text, held }).toEqual({
          ids: plain.ids,
          finished: plain.finished,
          text: plain.text,
          held: plain.held,
        })
      }
    }),
    { numRuns: 30 },
  )
})

test('right guesses save steps: nine ids a step', async () => {
  const setup = { prompt: Int32Array.of(1, 2, 3), seed: 5, budget: 28 }
  const plain = await write(setup)
  expect([plain.ids.length, plain.steps]).toEqual([28, 28])
  const drafted = await write({ ...setup, drafters: [knowing(plain.ids, 3)] })
  // The prompt gives the first id; then 1 + 8 of them at a time.
  expect(drafted.steps).toBe(4)
})

describe('taken out of its cache', () => {
  test('it goes on in another, and says the same', async () => {
    await fc.assert(
      fc.asyncProperty(setups, fc.nat(30), async (setup, at) => {
        const plain = await write(setup)
        const moved = await write({
          ...setup,
          onStep: (text, step) => {
            if (step === at) text.moveTo(heldCache())
          },
        })
        expect([moved.ids, moved.finished, moved.text]).toEqual([plain.ids, plain.finished, plain.text])
      }),
      { numRuns: 30 },
    )
  })
})

test('after every step all known ids but the last are computed, or a prompt is left, or it is finished', async () => {
  const setup = { prompt: Int32Array.from({ length: 40 }, (_, i) => i), seed: 9, budget: 20, most: 7 }
  const { runs, ids } = await write(setup)
  expect(runs.slice(0, -ids.length + 1).flat()).toEqual([...setup.prompt])
  expect(runs.slice(-ids.length + 1)).toEqual(ids.slice(0, -1).map((id) => [id]))
})

test('no budget: the prompt is run, and nothing is chosen', async () => {
  const { ids, finished, held } = await write({ prompt: Int32Array.of(1, 2), seed: 1, budget: 0 })
  expect([ids, finished, held]).toEqual([[], 'length', [1, 2]])
})
