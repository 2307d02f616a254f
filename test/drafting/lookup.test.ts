/** Guesses by the longest repeated suffix: found as a plain search finds it, as many as pay, and of no effect on the text. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { LookupDrafter } from '../../src/drafting/lookup-drafter.ts'
import { StepCosts } from '../../src/drafting/step-costs.ts'
import { SuffixAutomaton } from '../../src/drafting/suffix-automaton.ts'
import type { EngineModel } from '../../src/engine/engine.ts'
import { createLocalEngine } from '../../src/engine/local-engine.ts'
import { makeRequest, type RequestInput } from '../../src/engine/request.ts'
import { collectingSink } from '../support/collecting-sink.ts'
import { backendOf, scriptedRunner } from '../support/scripted-runner.ts'

/** The longest suffix that also ends somewhere before, and the places behind it. */
function search(ids: readonly number[]): { length: number; places: number[] } {
  for (let length = ids.length - 1; length > 0; length--) {
    const suffix = ids.slice(ids.length - length)
    const places: number[] = []
    for (let end = length; end < ids.length; end++)
      if (suffix.every((id, i) => ids[end - length + i] === id)) places.push(end)
    if (places.length > 0) return { length, places }
  }
  return { length: 0, places: [] }
}

test('the automaton finds the longest repeated suffix after every id', () => {
  const texts = fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 60 })
  fc.assert(
    fc.property(texts, (ids) => {
      const automaton = new SuffixAutomaton()
      for (const [i, id] of ids.entries()) {
        automaton.add(id)
        const { length, places } = search(ids.slice(0, i + 1))
        expect(automaton.matched).toBe(length)
        if (length > 0) expect(places).toContain(automaton.follows)
      }
    }),
    { numRuns: 200 },
  )
})

test('it grows to texts of any length, and nothing matches across two of them', () => {
  const automaton = new SuffixAutomaton()
  const ids = Array.from({ length: 20_000 }, (_, i) => (i * i) % 977)
  for (const id of ids) automaton.add(id)
  automaton.separate()
  expect(automaton.matched).toBe(0)
  for (const id of ids.slice(5000, 5010)) automaton.add(id)
  // The squares repeat with a period of 977.
  expect(automaton.matched).toBe(10)
  expect(automaton.follows % 977).toBe(5010 % 977)
})

const cheap = (): StepCosts => {
  const costs = new StepCosts()
  for (let rows = 1; rows <= 16; rows++) costs.ran(rows, 10 + 0.1 * rows)
  return costs
}
const dear = (): StepCosts => {
  const costs = new StepCosts()
  for (let rows = 1; rows <= 16; rows++) costs.ran(rows, 10 * rows)
  return costs
}

function drafter(costs: StepCosts, prompt: readonly number[], expected?: readonly number[]): LookupDrafter {
  const own = new LookupDrafter({
    ...{ length: 'auto', costs, promptLength: prompt.length },
    expected: expected && Int32Array.from(expected),
  })
  for (const id of prompt) own.accept(id)
  return own
}

function guess(from: LookupDrafter, most = 8): number[] {
  const into = new Int32Array(most)
  return [...into.subarray(0, from.propose(into, most))]
}

describe('guesses', () => {
  const repeated = [5, 6, 7, 8, 9, 10, 11, 12]

  test('are what followed, also beyond the end of the text', () => {
    expect(guess(drafter(cheap(), [...repeated, 1, ...repeated.slice(0, 4)]), 6)).toEqual([
      9, 10, 11, 12, 1, 5,
    ])
    expect(guess(drafter(cheap(), [3, 4, 3, 4, 3, 4, 3]), 6)).toEqual([4, 3, 4, 3, 4, 3])
    expect(guess(drafter(cheap(), [1, 2, 3]))).toEqual([])
  })

  test('are none where rows cost what steps cost', () => {
    expect(guess(drafter(dear(), [...repeated, 1, ...repeated.slice(0, 4)]))).toEqual([])
  })

  test('become none where they are never right, without being run, and come back', () => {
    const own = drafter(new StepCosts(), [])
    // Always two ids that were there, and then another.
    for (let i = 0; i < 300; i++) for (const id of [1, 2, 100 + i]) own.accept(id)
    own.accept(1)
    own.accept(2)
    expect(guess(own)).toEqual([])
    for (let i = 0; i < 100; i++) for (const id of [...repeated]) own.accept(id)
    expect(guess(own).length).toBeGreaterThan(3)
  })

  test('follow the expected text from its beginning, and after a change', () => {
    const expected = Array.from({ length: 40 }, (_, i) => 100 + i)
    const own = drafter(cheap(), [1, 2, 3], expected)
    expect(guess(own, 4)).toEqual([100, 101, 102, 103])
    for (const id of expected.slice(0, 10)) own.accept(id)
    expect(guess(own, 3)).toEqual([110, 111, 112])
    own.accept(7)
    expect(guess(own)).toEqual([])
    own.accept(112)
    own.accept(113)
    expect(guess(own, 3)).toEqual([114, 115, 116])
    // Its end is not followed by what comes after it.
    for (const id of expected.slice(14)) own.accept(id)
    expect(guess(own)).toEqual([])
  })
})

describe('an engine', () => {
  const parts = { model: {} as EngineModel, defaults: {}, template: undefined }

  async function ask(input: RequestInput, exactRows = true) {
    const runner = scriptedRunner({ length: 60, exactRows })
    const notes: string[] = []
    const note = (text: string): void => void notes.push(text)
    const engine = createLocalEngine({ ...parts, backend: backendOf(runner), note })
    const sink = collectingSink()
    const { tokenIds, finishReason, drafts } = await engine.generate(makeRequest(input), { sink })
    return { answer: { tokenIds, finishReason, text: sink.text }, drafts, runs: runner.runs, notes }
  }

  test('says the same with and without drafts, with every chain and whatever is expected', async () => {
    const setups = fc.record({
      prompt: fc.string({ minLength: 1, maxLength: 60, unit: fc.constantFrom('a', 'b', 'c') }),
      seed: fc.nat(1e6),
      temperature: fc.constantFrom(0, 0.3, 1.5),
      topK: fc.constantFrom(undefined, 2, 10),
      repetitionPenalty: fc.constantFrom(1, 1.2),
      drafts: fc.constantFrom('auto', 1, 7, 15),
      expect: fc.constantFrom(undefined, 'abc', 'x'.repeat(30)),
    })
    await fc.assert(
      fc.asyncProperty(setups, async ({ prompt, seed, drafts, expect: text, ...chain }) => {
        const sampling = { ...chain, seed: BigInt(seed) }
        const input = { prompt, raw: true, maxTokens: 60, sampling }
        const plain = await ask({ ...input, drafts: 'off' })
        const drafted = await ask({ ...input, drafts: drafts as number | 'auto', expect: text })
        expect(drafted.answer).toEqual(plain.answer)
        // Told what comes, it needs fewer steps.
        const told = await ask({ ...input, drafts: 15, expect: plain.answer.text })
        expect(told.answer).toEqual(plain.answer)
        expect(told.drafts!.steps).toBeLessThanOrEqual(1 + Math.ceil(plain.answer.tokenIds.length / 8))
      }),
      { numRuns: Number(process.env.SPOUT_DRAFT_RUNS ?? 40) },
    )
  })

  test('drafts where rows are exact unless told not to, elsewhere only so many as asked for, and says what that costs', async () => {
    const input = { prompt: 'abcabcabcabc', raw: true, maxTokens: 8, sampling: { seed: 1n } }
    expect((await ask({ ...input, drafts: 'off' })).drafts).toBeUndefined()
    expect((await ask(input)).drafts).toMatchObject({ steps: expect.any(Number) })
    expect((await ask({ ...input, drafts: 'auto' })).drafts).toMatchObject({ steps: expect.any(Number) })
    expect((await ask({ ...input, expect: 'abc' })).drafts).toMatchObject({ steps: expect.any(Number) })
    const inexact = await ask({ ...input, drafts: 'auto' }, false)
    expect([inexact.drafts, inexact.notes]).toEqual([undefined, []])
    const asked = await ask({ ...input, drafts: 3 }, false)
    expect(asked.drafts!.drafted).toBeGreaterThan(0)
    expect(asked.notes).toEqual([expect.stringMatching(/^drafts: rows of a run/)])
    expect(() => makeRequest({ ...input, drafts: 16 })).toThrow('drafts: 16 is not')
  })
})
