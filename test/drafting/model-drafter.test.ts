/** Guesses that are another model's choices: as many as pay, of no effect on the text, and nothing is left open. */
import fc from 'fast-check'
import { describe, expect, test, vi } from 'vitest'
import type { Runner } from '../../src/backend/backend.ts'
import { DraftModel } from '../../src/drafting/draft-model.ts'
import { ModelDrafter } from '../../src/drafting/model-drafter.ts'
import { StepCosts } from '../../src/drafting/step-costs.ts'
import type { EngineModel } from '../../src/engine/engine.ts'
import { createLocalEngine } from '../../src/engine/local-engine.ts'
import { makeRequest, type RequestInput } from '../../src/engine/request.ts'
import { openDraftModel } from '../../src/open/open-draft-model.ts'
import { byteTokenizer } from '../support/byte-tokenizer.ts'
import { collectingSink } from '../support/collecting-sink.ts'
import { backendOf, type ScriptedRunner, scriptedRunner } from '../support/scripted-runner.ts'

const parts = { model: {} as EngineModel, defaults: {}, template: undefined, note: () => undefined }
const target = (): ScriptedRunner => scriptedRunner({ length: 60 })

/** Never guesses what the other would choose: `lie` is its answer to everything. */
function liar(lie: number): ScriptedRunner {
  const runner = scriptedRunner({ length: 60 })
  return {
    ...runner,
    async run(batch, signal) {
      const rows = await runner.run(batch, signal)
      for (let i = 0; i < rows.count; i++) rows.row(i)[lie] = 1e6
      return rows
    },
  }
}

const modelOf = (runner: Runner, chunk = 16): DraftModel =>
  new DraftModel(runner, { chunk, vocabSize: byteTokenizer.vocabSize })

async function ask(input: RequestInput, draft?: ScriptedRunner) {
  const runner = target()
  const draftModel = draft && modelOf(draft)
  const engine = createLocalEngine({
    ...parts,
    backend: backendOf(runner),
    ...(draftModel && { draftModel }),
  })
  const sink = collectingSink()
  const { tokenIds, finishReason, drafts } = await engine.generate(makeRequest(input), { sink })
  await engine.dispose()
  return { answer: { tokenIds, finishReason, text: sink.text }, drafts }
}

describe('an engine with a draft model', () => {
  test('says what it says without one, whether it knows the answer or always lies', async () => {
    const setups = fc.record({
      prompt: fc.string({ minLength: 1, maxLength: 50, unit: fc.constantFrom('a', 'b', 'c') }),
      seed: fc.nat(1e6),
      temperature: fc.constantFrom(0, 0.3, 1.5),
      topK: fc.constantFrom(undefined, 2, 10),
      drafts: fc.constantFrom('auto', 1, 7, 15),
      lie: fc.constantFrom(undefined, 97),
      maxTokens: fc.integer({ min: 0, max: 50 }),
    })
    await fc.assert(
      fc.asyncProperty(setups, async ({ seed, prompt, drafts, lie, maxTokens, ...chain }) => {
        const input = { prompt, raw: true, maxTokens, sampling: { ...chain, seed: BigInt(seed) } }
        const plain = await ask({ ...input, drafts: 'off' })
        const draft = lie === undefined ? target() : liar(lie)
        const drafted = await ask({ ...input, drafts: drafts as number | 'auto' }, draft)
        expect(drafted.answer).toEqual(plain.answer)
        expect(draft.pool.texts.size).toBe(0)
      }),
      { numRuns: Number(process.env.SPOUT_DRAFT_RUNS ?? 40) },
    )
  })

  test('needs fewer steps where it knows the answer', async () => {
    const input = { prompt: 'wxyz', raw: true, maxTokens: 40, sampling: { temperature: 0 } }
    const knows = await ask({ ...input, drafts: 7 }, target())
    // Repeated text is guessed first, and not always rightly.
    expect(knows.drafts!.steps).toBeLessThan(knows.answer.tokenIds.length / 2)
  })

  test('goes on without it when it fails, and says so', async () => {
    const draft: Runner = { ...target(), run: () => Promise.reject(new Error('out of paper')) }
    const note = vi.fn()
    const engine = createLocalEngine({
      ...parts,
      note,
      backend: backendOf(target()),
      draftModel: modelOf(draft),
    })
    const sink = collectingSink()
    const input = { prompt: 'wxyz', raw: true, maxTokens: 20, sampling: { temperature: 0 } }
    const { tokenIds } = await engine.generate(makeRequest({ ...input, drafts: 3 }), { sink })
    expect(tokenIds).toEqual((await ask({ ...input, drafts: 'off' })).answer.tokenIds)
    expect(note.mock.calls).toEqual([[expect.stringMatching(/^draft-model: it failed.*out of paper$/)]])
  })

  test('an answer that is left while it guesses leaves nothing open', async () => {
    const controller = new AbortController()
    const draft = target()
    const aborting: ScriptedRunner = {
      ...draft,
      run(batch, signal) {
        if (draft.runs.length === 2) controller.abort()
        return draft.run(batch, signal)
      },
    }
    const engine = createLocalEngine({
      ...parts,
      backend: backendOf(target()),
      draftModel: modelOf(aborting, 2),
    })
    const io = { sink: collectingSink(), signal: controller.signal }
    const how = { ignoreEos: true, maxTokens: 40, sampling: { temperature: 0 } }
    const request = makeRequest({ prompt: 'abcdefghijk', raw: true, drafts: 3, ...how })
    expect((await engine.generate(request, io)).finishReason).toBe('aborted')
    await engine.dispose()
    expect(draft.pool.texts.size).toBe(0)
  })
})

test('a guess is as long as pays', async () => {
  const costs = new StepCosts()
  for (let rows = 1; rows <= 16; rows++) costs.ran(rows, 100 + rows)
  const model = modelOf(target())
  const drafter = new ModelDrafter({ model, costs, length: 'auto', onFailure: () => undefined })
  for (const id of [1, 2, 3]) drafter.accept(id)
  model.stepMs = 1
  await drafter.prepare(15)
  const cheap = drafter.propose(new Int32Array(16), 15)
  model.stepMs = 1000
  expect(drafter.prepare(0)).toBeUndefined()
  await drafter.prepare(15)
  expect(cheap).toBeGreaterThan(2)
  expect(drafter.propose(new Int32Array(16), 15)).toBeLessThanOrEqual(1)
  drafter.dispose()
})

test('where guesses do not pay one is tried now and then', async () => {
  const costs = new StepCosts()
  for (let rows = 1; rows <= 16; rows++) costs.ran(rows, 100 * rows)
  const drafter = new ModelDrafter({
    model: modelOf(target()),
    costs,
    length: 'auto',
    onFailure: () => undefined,
  })
  drafter.accept(1)
  let tried = 0
  for (let step = 0; step < 200; step++) {
    const guessing = drafter.prepare(15)
    if (guessing !== undefined) tried++
    await guessing
    drafter.accept(2)
  }
  expect(tried).toBeGreaterThan(1)
  expect(tried).toBeLessThan(10)
  drafter.dispose()
})

describe('opening one', () => {
  const opened = (runner: ScriptedRunner) => ({
    backend: { ...backendOf(runner), dispose: vi.fn(async () => undefined) },
    ...{ model: { id: 'big' } as EngineModel, config: {} as never, template: undefined },
  })

  test('says why it is not used where a row depends on its neighbours', async () => {
    const note = vi.fn()
    const open = vi.fn()
    const inexact = opened(scriptedRunner({ exactRows: false }))
    expect(await openDraftModel(inexact, { draftModel: 'small', note }, open)).toBeUndefined()
    expect(note.mock.calls[0]![0]).toMatch(/^draft-model: it is not used: rows of a run of big depend/)
    expect(open).not.toHaveBeenCalled()
  })

  test('is refused with another vocabulary, and nothing stays open', async () => {
    const small = opened(target())
    const tokenizer = {
      ...byteTokenizer,
      idToToken: (id: number) => (id === 7 ? 'seven' : byteTokenizer.idToToken(id)),
    }
    const other = { ...small, backend: { ...small.backend, tokenizer } }
    const opening = openDraftModel(opened(target()), { draftModel: 'small' }, async () => other)
    await expect(opening).rejects.toThrow('draft-model: another vocabulary: token 7 is')
    expect(small.backend.dispose).toHaveBeenCalledOnce()
  })

  test('takes the options of the model, but not its dtype, its context or its template', async () => {
    const open = vi.fn(async () => opened(target()))
    const options = { model: 'big', dtype: 'q4' as const, contextLength: 9, threads: 3, draftModel: 'small' }
    expect(await openDraftModel(opened(target()), options, open)).toBeInstanceOf(DraftModel)
    expect(open).toHaveBeenCalledWith(
      expect.objectContaining({ model: 'small', threads: 3, dtype: undefined, contextLength: undefined }),
    )
  })
})
