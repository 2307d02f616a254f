/**
 * An engine whose texts share runs and what they begin with: every answer is the one of a run by itself, in an engine that
 * shares nothing, however requests, samples and conversations come together and however short memory is.
 */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Conversation, Engine, EngineModel } from '../../src/engine/engine.ts'
import { createLocalEngine } from '../../src/engine/local-engine.ts'
import { makeRequest, type RequestInput } from '../../src/engine/request.ts'
import { sampleSeed } from '../../src/sampling/rng.ts'
import { collectingSink } from '../support/collecting-sink.ts'
import { backendOf, type RunnerScript, scriptedRunner } from '../support/scripted-runner.ts'

const LENGTH = 150

function openShared(script: RunnerScript = {}, kvBytes?: number) {
  const runner = scriptedRunner({ length: LENGTH, ...script })
  const parts = { model: {} as EngineModel, defaults: {}, template: undefined }
  return { runner, engine: createLocalEngine({ ...parts, backend: backendOf(runner), kvBytes }) }
}

const inputOf = (prompt: string, seed: number | bigint, maxTokens: number): RequestInput => ({
  prompt,
  raw: true,
  maxTokens,
  sampling: { temperature: 1.2, seed: BigInt(seed) },
})

async function ask(asked: Pick<Conversation, 'generate'>, input: RequestInput) {
  const sink = collectingSink()
  const result = await asked.generate(makeRequest(input), { sink })
  return {
    text: sink.text,
    ids: result.tokenIds,
    kept: result.keptTokens,
    read: result.promptTokens - result.keptTokens,
  }
}

async function sample(engine: Engine, input: RequestInput, count: number) {
  const sinks = Array.from({ length: count }, collectingSink)
  const results = await engine.sample(
    makeRequest(input),
    sinks.map((sink) => ({ sink })),
  )
  return results.map(({ tokenIds, seed, keptTokens }, i) => ({
    ids: tokenIds,
    text: sinks[i]!.text,
    seed,
    keptTokens,
  }))
}

/** By an engine of its own. */
const afresh = (input: RequestInput) => ask(openShared().engine, input)

const word = fc.constantFrom('a', 'b')
/** Prompts that begin alike for some pages. */
const prompts = fc
  .tuple(fc.array(word, { minLength: 1, maxLength: 4 }), fc.integer({ min: 1, max: 130 }))
  .map(([words, rest]) => words.map((each) => each.repeat(100)).join('') + 'c'.repeat(rest))
const acts = fc.array(
  fc.record({
    prompt: prompts,
    seed: fc.nat(50),
    maxTokens: fc.integer({ min: 1, max: 150 }),
    how: fc.constantFrom('alone', 'samples', 'conversation 1', 'conversation 2'),
    waits: fc.boolean(),
  }),
  { minLength: 1, maxLength: 7 },
)

test('requests, samples and conversations, together or after each other, over memory of any size', async () => {
  await fc.assert(
    fc.asyncProperty(acts, fc.integer({ min: 9, max: 40 }), async (all, pages) => {
      const { engine, runner } = openShared({}, pages * 4 * 128)
      const conversations = new Map<string, Conversation>()
      const running: Promise<void>[] = []
      for (const { prompt, seed, maxTokens, how, waits } of all) {
        const input = inputOf(prompt, seed, maxTokens)
        const act = async (): Promise<void> => {
          if (how === 'samples') {
            const answers = await sample(engine, input, 3)
            for (const { ids, text, seed: own } of answers)
              expect({ ids, text }).toEqual(pick(await afresh(inputOf(prompt, own, maxTokens))))
            return
          }
          if (how !== 'alone' && !conversations.has(how)) conversations.set(how, engine.openConversation())
          expect(pick(await ask(conversations.get(how) ?? engine, input))).toEqual(pick(await afresh(input)))
        }
        running.push(act())
        if (waits) await Promise.all(running)
      }
      await Promise.all(running)
      for (const conversation of conversations.values()) conversation.dispose()
      expect(runner.pool.texts.size).toBe(0)
      await engine.dispose()
      expect(runner.pool.inUse).toBe(0)
    }),
    { numRuns: Number(process.env.SPOUT_SHARING_RUNS ?? 25) },
  )
})

const pick = ({ ids, text }: { ids: readonly number[]; text: string }) => ({ ids, text })

describe('computed once', () => {
  const system = 's'.repeat(300)

  test('what many prompts begin with', async () => {
    const { engine, runner } = openShared({}, 1e6)
    const answers = await Promise.all(
      [1, 2, 3, 4].map((seed) => ask(engine, inputOf(`${system}${seed}`, seed, 5))),
    )
    expect(answers.map(({ read }) => read)).toEqual([301, 45, 45, 45])
    const later = await ask(engine, inputOf(`${system}later`, 1, 5))
    expect(later.kept).toBe(256)
    expect(runner.runs.flat().every((ids) => ids.length <= 128)).toBe(true)
  })

  test('the prompt of several answers, of which the first is that of one', async () => {
    const { engine, runner } = openShared()
    const input = inputOf(system, 7, 20)
    const answers = await sample(engine, input, 5)
    expect(answers.map(({ keptTokens }) => keptTokens)).toEqual([0, 299, 299, 299, 299])
    expect(answers.map(({ seed }) => seed)).toEqual([0, 1, 2, 3, 4].map((i) => sampleSeed(7n, i)))
    expect(pick(answers[0]!)).toEqual(pick(await afresh(input)))
    // 300 ids of the prompt, once it is there a step of the first, then all five at once.
    expect(runner.runs.slice(0, 5).map((run) => run.length)).toEqual([1, 1, 1, 1, 5])
  })

  test('a turn of a conversation, its answer and what came before it', async () => {
    const { engine } = openShared({ length: 1e9 })
    const conversation = engine.openConversation()
    const first = await ask(conversation, inputOf(system, 1, 10))
    const second = await ask(conversation, inputOf(`${system}${first.text} and then?`, 1, 10))
    expect(second.read).toBe(' and then?'.length + 1)
    expect(await conversation.settle(makeRequest(inputOf('x', 1, 1)))).toEqual({ tokens: 0, ms: 0 })
    conversation.dispose()
  })
})

test('samples where runs are not shared: one after another, over the prompt that stays', async () => {
  const { engine, runner } = openShared({ exactRows: false, mostParts: 1 })
  const input = inputOf('s'.repeat(300), 7, 10)
  const answers = await sample(engine, input, 3)
  expect(answers.map(({ keptTokens }) => keptTokens)).toEqual([0, 298, 298])
  expect(pick(answers[0]!)).toEqual(pick(await afresh(input)))
  expect(runner.runs.every((run) => run.length === 1)).toBe(true)
})

test('a sample that fails ends all', async () => {
  const { engine, runner } = openShared({ length: 1e9 })
  const no = new Error('no')
  const bad = { token: () => Promise.reject(no), lastPiece: () => undefined }
  const ios = [collectingSink(), bad, collectingSink()].map((sink) => ({ sink }))
  await expect(engine.sample(makeRequest(inputOf('text', 1, 100)), ios)).rejects.toBe(no)
  expect(runner.pool.texts.size).toBe(0)
  expect(runner.runs.length).toBeLessThan(10)
})
