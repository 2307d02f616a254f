/** What was done before is really done, and writes what the product writes. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, expect, test, vi } from 'vitest'
import type { Backend } from '../../src/backend/backend.ts'
import type { BeforeArm, OpenBefore } from '../../src/bench/before/before-arm.ts'
import { BEFORE_ARMS, openBefore } from '../../src/bench/before/before-arms.ts'
import { copiedTokenizer } from '../../src/bench/before/copied-tokenizer.ts'
import { eosByString, eosByVocabulary } from '../../src/bench/before/eos-lookup.ts'
import { logLines } from '../../src/bench/before/log-lines.ts'
import { PENALTY, setPenalty } from '../../src/bench/before/set-penalty.ts'
import { slowerStep } from '../../src/bench/before/slower-step.ts'
import { twoDecodes } from '../../src/bench/before/two-decodes.ts'
import { BUILT_IN_ARMS, builtInComparisons } from '../../src/bench/built-in-arms.ts'
import { ARM_NAMES, BENCH_FORMATS } from '../../src/cli/bench-words.ts'
import { generate } from '../../src/generation/generate.ts'
import { createSampler } from '../../src/sampling/sampler.ts'
import { collectingSink } from '../support/collecting-sink.ts'
import { TINY_MODEL } from '../support/models.ts'
import { scriptedBackend } from '../support/scripted-backend.ts'

const TEXT = 'Ein schöner Tag, 😀 sagte sie. '
const TOKENS = new TextEncoder().encode(TEXT).length

afterEach(() => vi.restoreAllMocks())

/** What one request writes. */
async function textOf(open: OpenBefore | undefined, penalty = false): Promise<string> {
  const backend = scriptedBackend(TEXT)
  const sink = collectingSink()
  const parts = { backend, sampler: createSampler(penalty ? PENALTY : { temperature: 0 }, backend), sink }
  await generate({
    ...(open?.alter(parts) ?? parts),
    ...{ cache: backend.createCache(), promptIds: backend.tokenizer.encode('prompt') },
    ...{ maxTokens: TOKENS, ignoreEos: true },
  })
  return sink.text
}

const openFor = (arm: BeforeArm): Promise<OpenBefore> =>
  openBefore([arm.name], { backend: scriptedBackend(TEXT), folder: TINY_MODEL.folder })

test.each(BEFORE_ARMS)('$name writes what the product writes, request after request', async (arm) => {
  const open = await openFor(arm)
  const product = await textOf(undefined, arm.penalty)
  expect(product.length).toBeGreaterThan(10)
  for (let request = 0; request < 2; request++) expect(await textOf(open, arm.penalty)).toBe(product)
  open.close?.()
})

test('every arm is beside a product of the same sampling, and differs from it', () => {
  for (const { arm, beside } of builtInComparisons(BUILT_IN_ARMS, {})) {
    expect(beside.before).toEqual([])
    expect(arm.penalty).toBe(beside.penalty)
    expect({ ...arm, name: '', standsFor: '' }).not.toEqual({ ...beside, name: '', standsFor: '' })
    expect(arm.standsFor).not.toMatch(/\n/)
  }
})

test('the command line knows the names', () => {
  expect([...ARM_NAMES]).toEqual(BUILT_IN_ARMS)
  expect(BENCH_FORMATS.length).toBe(4)
})

test('a log line is written for every token, and the file is gone at the end', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'spout-test-'))
  vi.stubEnv('TMPDIR', folder)
  try {
    const open = await openFor(logLines)
    await textOf(open)
    const [made] = readdirSync(folder)
    const lines = readFileSync(join(folder, made!, 'log'), 'utf8')
      .trimEnd()
      .split('\n')
    expect(lines.length).toBe(TOKENS)
    expect(lines[3]).toMatch(
      /^\S+Z INFO spout::generate token position=3 id=32 text=" " elapsed_ms=\d+\.\d{3}$/,
    )
    open.close?.()
    expect(readdirSync(folder)).toEqual([])
  } finally {
    vi.unstubAllEnvs()
    rmSync(folder, { recursive: true, force: true })
  }
})

test('the tables of the tokenizer are copied once per request, all of them', async () => {
  const clone = vi.spyOn(globalThis, 'structuredClone')
  const open = await openFor(copiedTokenizer)
  await textOf(open)
  await textOf(open)
  expect(clone).toHaveBeenCalledTimes(2)
  const { ids, tokens, merges } = clone.mock.results[0]!.value as Record<
    'ids' | 'tokens',
    Map<unknown, unknown>
  > & {
    merges: unknown[]
  }
  const file = JSON.parse(readFileSync(join(TINY_MODEL.folder, 'tokenizer.json'), 'utf8'))
  expect(Object.fromEntries(ids)).toEqual(file.model.vocab)
  expect(tokens.size).toBe(ids.size)
  expect(merges).toEqual(file.model.merges)
})

test('EOS is looked up for every token: by its text, or in a copy of the vocabulary', async () => {
  const backend = scriptedBackend(TEXT)
  const looks = vi.spyOn(backend.tokenizer, 'tokenToId')
  for (const arm of [eosByString, eosByVocabulary]) await textOf(await arm.open({ backend, folder: '' }))
  expect(looks).toHaveBeenCalledTimes(TOKENS)
})

test('all ids are decoded twice for every token, and the product’s own stream decodes none', async () => {
  const backend = scriptedBackend(TEXT)
  const decodes = vi.spyOn(backend.tokenizer, 'decode')
  await textOf(await twoDecodes.open({ backend, folder: '' }))
  expect(decodes.mock.calls.map(([ids]) => ids.length).length).toBe(2 * TOKENS)
})

test('the penalty by a Set chooses what the product’s chooses', async () => {
  const logits = fc.array(fc.float({ min: -8, max: 8, noNaN: true }), { minLength: 12, maxLength: 12 })
  const open = await setPenalty.open({ backend: scriptedBackend(''), folder: '' })
  fc.assert(
    fc.property(fc.array(logits, { minLength: 1, maxLength: 90 }), fc.array(fc.nat(11)), (rows, prompt) => {
      const model = { vocabSize: 12, stopTokenIds: [] }
      const product = createSampler(PENALTY, model)
      const before = open.alter({
        backend: model as unknown as Backend,
        sampler: product,
        sink: collectingSink(),
      })
      for (const sampler of [product, before.sampler]) sampler.accept(prompt)
      for (const row of rows) {
        const copy = Float32Array.from(row)
        expect(before.sampler.sample(copy)).toBe(product.sample(Float32Array.from(row)))
        expect(copy).toEqual(Float32Array.from(row))
      }
    }),
    { numRuns: 40 },
  )
})

test('the control waits 5 % of what a step took', async () => {
  let now = 0
  vi.spyOn(performance, 'now').mockImplementation(() => now++)
  const backend = scriptedBackend(TEXT, { onForward: () => (now += 1000) })
  const open = await slowerStep.open({ backend, folder: '' })
  const altered = open.alter({
    backend,
    sampler: createSampler({ temperature: 0 }, backend),
    sink: collectingSink(),
  })
  const cache = backend.createCache()
  for (let step = 0; step < 5; step++) {
    const from = now
    await altered.backend.forward(Int32Array.of(1), cache)
    expect(now - from).toBeGreaterThanOrEqual(1050)
    expect(now - from).toBeLessThan(1060)
  }
})
