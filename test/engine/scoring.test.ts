/**
 * How likely choices and texts are, over a model whose every row depends on all ids before it: as by definition, however many are
 * asked at once, whoever shares runs, and however short memory is.
 */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Engine, EngineModel } from '../../src/engine/engine.ts'
import { createLocalEngine } from '../../src/engine/local-engine.ts'
import { makeRequest } from '../../src/engine/request.ts'
import type { ChoiceRequest } from '../../src/engine/score-request.ts'
import { SpoutError } from '../../src/errors.ts'
import { BYTE_EOS, byteTokenizer } from '../support/byte-tokenizer.ts'
import { collectingSink } from '../support/collecting-sink.ts'
import { backendOf, type RunnerScript, scriptedRunner } from '../support/scripted-runner.ts'

function open(script: RunnerScript = {}, kvBytes = 1e6, promptCache = true) {
  const runner = scriptedRunner(script)
  const parts = { model: {} as EngineModel, defaults: {}, template: undefined }
  return { runner, engine: createLocalEngine({ ...parts, backend: backendOf(runner), kvBytes, promptCache }) }
}

const SERIAL: RunnerScript = { exactRows: false, mostParts: 1 }
const plain = (prompt: string) => makeRequest({ prompt, raw: true })
const idsOf = (text: string): number[] => [...byteTokenizer.encode(text)]

/** ln P of ids after a prompt: each row of a runner of its own. */
async function byDefinition(prompt: readonly number[], ids: readonly number[], ends: readonly number[]) {
  const { run, pool } = scriptedRunner()
  const all = Int32Array.from([...prompt, ...ids])
  const rows = await run([{ sequence: pool.open(), ids: all, wanted: ids.length + 1 }])
  let sum = 0
  for (let i = 0; i <= ids.length; i++) {
    const weights = Array.from(rows.row(i), (logit) => Math.exp(logit))
    const total = weights.reduce((a, b) => a + b, 0)
    const wanted = i < ids.length ? [ids[i]!] : ends
    if (wanted.length > 0) sum += Math.log(wanted.reduce((a, id) => a + weights[id]!, 0) / total)
  }
  return sum
}

const choiceByDefinition = (question: string, choice: string, wholeAnswer: boolean) =>
  byDefinition(idsOf(question), idsOf(` ${choice}`), wholeAnswer ? [BYTE_EOS] : [])

async function expectRight(engine: Engine, asked: ChoiceRequest) {
  const { choices } = await engine.choose(asked)
  expect(choices.map(({ choice }) => choice)).toEqual(asked.choices)
  const whole = asked.wholeAnswer ?? true
  for (const { choice, logprob, prior } of choices) {
    expect(logprob).toBeCloseTo(await choiceByDefinition(asked.request.text, choice, whole), 8)
    if (asked.empty === undefined || asked.prior === false) expect(prior).toBeUndefined()
    else expect(prior).toBeCloseTo(await choiceByDefinition(asked.empty.text, choice, whole), 8)
  }
}

const letters = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), minLength: 1, maxLength: 4 })
const questions = fc.record({
  line: fc.string({ unit: fc.constantFrom('x', 'y', ' '), maxLength: 160 }).map((text) => `${text}z`),
  choices: fc.uniqueArray(letters, { minLength: 2, maxLength: 6 }),
  wholeAnswer: fc.boolean(),
  prior: fc.boolean(),
})

const HEAD = 'What of this? '
const asRequest = ({
  line,
  ...rest
}: {
  line: string
  choices: string[]
  wholeAnswer: boolean
  prior: boolean
}) => ({
  ...rest,
  request: plain(`${HEAD}${line}:`),
  empty: plain(`${HEAD}:`),
})

describe.each([
  ['texts share runs', () => open()],
  ['texts share runs, without a prompt cache', () => open({}, 1e6, false)],
  ['memory is short', () => open({}, 12 * 4 * 128)],
  ['one text after another', () => open(SERIAL)],
  ['runs are short', () => open({ mostRows: 10, mostWanted: 4 })],
])('%s', (_, make) => {
  test('choices are as likely as by definition, many questions at once', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(questions, { minLength: 1, maxLength: 6 }), async (asked) => {
        const { engine, runner } = make()
        await Promise.all(asked.map((each) => expectRight(engine, asRequest(each))))
        await engine.dispose()
        expect(runner.pool.inUse).toBe(0)
        expect(runner.pool.texts.size).toBe(0)
      }),
      { numRuns: Number(process.env.SPOUT_SCORING_RUNS ?? 12) },
    )
  })

  test('texts are as likely as by definition, by themselves, behind a prompt and beyond the context', async () => {
    const { engine } = make()
    const texts = ['ab', 'ba'.repeat(130), 'abc '.repeat(33)]
    const found = await Promise.all(texts.map((text) => engine.score({ text })))
    for (const [i, { tokens, logprob, perplexity, windows }] of found.entries()) {
      const ids = idsOf(texts[i]!)
      expect(logprob).toBeCloseTo(await byDefinition(ids.slice(0, 1), ids.slice(1), []), 6)
      expect(tokens.map(({ id }) => id)).toEqual(ids.slice(1))
      expect(tokens.map(({ token }) => token).join('')).toBe(texts[i]!.slice(1))
      expect(perplexity).toBeCloseTo(Math.exp(-logprob / (ids.length - 1)), 8)
      expect(windows).toBe(1)
    }
    const prompt = 'once upon a time '
    const behind = await Promise.all(['abc', 'b'].map((text) => engine.score({ prompt, text })))
    for (const [i, text] of ['abc', 'b'].entries())
      expect(behind[i]!.logprob).toBeCloseTo(await byDefinition(idsOf(prompt), idsOf(text), []), 8)
    await engine.dispose()
  })
})

test('a text longer than the context goes on from the last token of the window before', async () => {
  const { engine } = open({ contextLength: 50 })
  const ids = idsOf('abcde'.repeat(24))
  const { tokens, logprob, windows } = await engine.score({ text: 'abcde'.repeat(24) })
  let sum = 0
  for (let start = 0; start < ids.length - 1; start += 50)
    sum += await byDefinition(ids.slice(start, start + 1), ids.slice(start + 1, start + 51), [])
  expect([windows, tokens.length]).toEqual([3, 119])
  expect(logprob).toBeCloseTo(sum, 6)
})

describe('what is computed', () => {
  const asked = (line: string): ChoiceRequest => ({
    request: plain(`${HEAD}${line}:`),
    empty: plain(`${HEAD}:`),
    prior: false,
    choices: ['ab', 'ac', 'b'],
  })

  test('the beginning of all questions once, the questions together, all branches of a question in one run', async () => {
    const { engine, runner } = open()
    await Promise.all(['one', 'two', 'three'].map((line) => engine.choose(asked(line))))
    const [beginning, together, ...branches] = runner.runs
    expect(beginning).toEqual([idsOf(HEAD)])
    expect(together).toEqual(['one:', 'two:', 'three:'].map(idsOf))
    expect(branches.flat().map((ids) => byteTokenizer.decode(ids))).toEqual(
      Array.from({ length: 3 }, () => [' ab', ' ac', ' b']).flat(),
    )
    expect(branches).toHaveLength(1)
    await engine.choose(asked('four'))
    expect(runner.runs.slice(3, 4)).toEqual([[idsOf('four:')]])
  })

  test('no branch where one token tells, and the end is not asked for', async () => {
    const { engine, runner } = open()
    await engine.choose({ request: plain('Q '), choices: ['a', 'b'], wholeAnswer: false })
    expect(runner.runs).toHaveLength(1)
  })

  test('the prior once for a question', async () => {
    const { engine, runner } = open()
    for (const line of ['one', 'two']) await engine.choose({ ...asked(line), prior: true })
    const empties = runner.runs.flat().filter((ids) => byteTokenizer.decode(ids) === ':')
    expect(empties).toHaveLength(1)
  })

  test('where runs are not shared, what a question has in common with the one before is kept', async () => {
    const { engine, runner } = open(SERIAL)
    await engine.choose(asked('one'))
    const before = runner.runs.length
    await engine.choose(asked('two'))
    expect(runner.runs[before]).toEqual([idsOf('two:')])
  })
})

describe('what is refused', () => {
  const codeOf = (failing: Promise<unknown>) =>
    failing.then(
      () => 'none',
      (error: unknown) => (error instanceof SpoutError ? `${error.code}: ${error.message}` : error),
    )

  test('choices that are none, and a prior of nothing', async () => {
    const { engine } = open()
    const request = plain('Q')
    expect(await codeOf(engine.choose({ request, choices: ['a'] }))).toBe(
      'usage: choices: at least two are needed',
    )
    expect(await codeOf(engine.choose({ request, choices: ['a', ' '] }))).toBe('usage: choices: one is empty')
    expect(await codeOf(engine.choose({ request, choices: ['a', 'a'] }))).toBe(
      'usage: choices: "a" is there twice',
    )
    expect(await codeOf(engine.choose({ request, choices: ['a', 'b'], prior: true }))).toMatch(
      /^usage: .*prior/,
    )
  })

  test('what does not fit the context, and a text without a token to score', async () => {
    const { engine, runner } = open({ contextLength: 20 })
    expect(await codeOf(engine.choose({ request: plain('q'.repeat(17)), choices: ['abc', 'b'] }))).toMatch(
      /^data: prompt: it is 21 tokens, the context holds 20/,
    )
    expect(await codeOf(engine.score({ text: 'a' }))).toBe('data: text: there is no token to score')
    expect(await codeOf(engine.score({ text: '' }))).toMatch(/^data/)
    expect(await codeOf(engine.score({ prompt: 'p'.repeat(30), text: 'a' }))).toMatch(
      /^data: prompt: it is 30/,
    )
    expect(runner.runs).toEqual([])
  })

  test('a signal ends it with its reason, and the others go on', async () => {
    for (const script of [{}, SERIAL]) {
      const stop = new AbortController()
      const { engine, runner } = open({ ...script, onRun: () => stop.abort(new Error('enough')) })
      const request = plain('one two three')
      const aborted = engine.choose({ request, choices: ['a', 'b'] }, { signal: stop.signal })
      const other = expectRight(engine, { request: plain('another'), choices: ['a', 'bc'] })
      await expect(aborted).rejects.toThrow('enough')
      await other
      await engine.dispose()
      expect(runner.pool.inUse).toBe(0)
    }
  })

  test('everything once the engine is disposed, and what runs ends', async () => {
    for (const script of [{}, SERIAL]) {
      const { engine, runner } = open(script)
      const running = codeOf(
        engine.choose({ request: plain('one'), empty: plain('onetwothree'), choices: ['a', 'b'] }),
      )
      await engine.dispose()
      expect(await running).toBe('usage: engine: it was disposed')
      expect(await codeOf(engine.score({ text: 'abc' }))).toBe('usage: engine: it was disposed')
      expect(runner.pool.inUse).toBe(0)
    }
  })
})

test('questions beside answers that are written change neither', async () => {
  const { engine } = open()
  const sink = collectingSink()
  const request = makeRequest({ prompt: 'write', raw: true, maxTokens: 30, sampling: { seed: 1n } })
  const [written] = await Promise.all([
    engine.generate(request, { sink }),
    ...['one', 'two'].map((line) => expectRight(engine, { request: plain(line), choices: ['ab', 'b'] })),
  ])
  const alone = collectingSink()
  expect(written.tokenIds).toEqual((await open().engine.generate(request, { sink: alone })).tokenIds)
  expect(sink.text).toBe(alone.text)
})
