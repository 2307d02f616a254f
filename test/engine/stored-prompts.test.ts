/**
 * Pages on disk: whatever was left there, damaged, thrown out or cut, an answer is the one of a model that shares nothing.
 * SPOUT_CACHE_CONVERSATIONS makes more of them (the whole trial: 300), SPOUT_CACHE_SHORT more short prompts (1,000).
 */
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { PAGE } from '../../src/backend/kv.ts'
import type { Conversation } from '../../src/engine/engine.ts'
import { createLocalEngine } from '../../src/engine/local-engine.ts'
import type { GenerateRequest } from '../../src/engine/request.ts'
import { allPages, prunePages } from '../../src/prefix-cache/stored-pages.ts'
import { collectingSink } from '../support/collecting-sink.ts'
import { backendOf, scriptedRunner } from '../support/scripted-runner.ts'
import { cacheFolder, leave, openStored, rawRequest } from '../support/stored-prompts.ts'

const CONVERSATIONS = Number(process.env.SPOUT_CACHE_CONVERSATIONS ?? 25)
const MOST_MS = 100_000 + 10_000 * CONVERSATIONS
const SHORT = Number(process.env.SPOUT_CACHE_SHORT ?? 20)

async function ask(asked: Pick<Conversation, 'generate'>, request: GenerateRequest) {
  const sink = collectingSink()
  const result = await asked.generate(request, { sink })
  return { text: sink.text, ids: result.tokenIds, kept: result.keptTokens, fromDisk: result.fromDisk }
}

/** By a model that shares nothing. */
async function alone(request: GenerateRequest): Promise<string> {
  const backend = backendOf(scriptedRunner({ length: 150 }))
  const parts = { model: {} as never, defaults: {}, template: undefined, backend, promptCache: false }
  return (await ask(createLocalEngine(parts), request)).text
}

const letters = (text: string) => [...text].map((letter) => letter.repeat(100)).join('')

test('the next process reads its own tokens only', async () => {
  const folder = cacheFolder()
  const request = rawRequest(letters('abcd') + 'x'.repeat(30))
  const first = openStored(folder)
  const answer = await ask(first.engine, request)
  expect(answer).toMatchObject({ kept: 0, fromDisk: undefined })
  expect(await leave(first.engine, [request])).toBe(3)

  const second = openStored(folder)
  const again = await ask(second.engine, request)
  expect(again).toMatchObject({ text: answer.text, ids: answer.ids, kept: 3 * PAGE })
  expect(again.fromDisk).toMatchObject({ tokens: 3 * PAGE, bytes: 3 * second.runner.pool.pageBytes })
  expect(second.runner.runs[0]![0]).toHaveLength(430 - 3 * PAGE)

  const other = rawRequest(`${letters('abc')}y`)
  expect(await ask(openStored(folder).engine, other)).toMatchObject({
    text: await alone(other),
    kept: 2 * PAGE,
  })
  // Nothing is new.
  expect(await leave(second.engine, [request])).toBe(0)
})

test('a page that ends where the prompt does is read only where an id is left to run', async () => {
  const folder = cacheFolder()
  const request = rawRequest('z'.repeat(2 * PAGE))
  const first = openStored(folder)
  const { text } = await ask(first.engine, request)
  await leave(first.engine, [request])
  expect(await ask(openStored(folder).engine, request)).toMatchObject({ text, kept: PAGE })
})

test('short prompts do not look at the disk, and what saves little is not written', async () => {
  const folder = cacheFolder()
  const { engine, store } = openStored(folder)
  let looks = 0
  store.has = () => {
    looks++
    return false
  }
  for (let i = 0; i < SHORT; i++) {
    const request = rawRequest('q'.repeat(1 + ((99 + i) % (PAGE - 1))))
    await ask(engine, request)
    expect(await engine.handOverPrompt!([request], { msPerToken: 1 })).toBeUndefined()
  }
  expect(looks).toBe(0)
  expect(readdirSync(folder)).toEqual([])
  const long = rawRequest(letters('abcd'))
  await ask(engine, long)
  // 3 pages: 384 tokens.
  expect(await engine.handOverPrompt!([long], { msPerToken: 299 / 384 })).toBeUndefined()
  expect(await leave(engine, [long])).toBe(3)
})

test('texts of another owner, another model and another layout of pages are not found', async () => {
  const folder = cacheFolder()
  const request = rawRequest(letters('abcd'))
  const { engine } = openStored(folder, { salt: 'a' })
  await ask(engine, request)
  await leave(engine, [request])
  expect(await ask(openStored(folder, { salt: 'a' }).engine, request)).toMatchObject({ kept: 3 * PAGE })
  expect(await ask(openStored(folder, { salt: 'b' }).engine, request)).toMatchObject({ kept: 0 })
  expect(await ask(openStored(folder, { salt: 'a', fingerprint: 'x' }).engine, request)).toMatchObject({
    kept: 0,
  })
})

test('folders and files are their owner’s only', async () => {
  const folder = cacheFolder()
  const request = rawRequest(letters('abcd'))
  const { engine, store } = openStored(folder)
  await ask(engine, request)
  await leave(engine, [request])
  const modeOf = (path: string): number => statSync(path).mode & 0o777
  expect([join(folder, 'prompts'), store.folder].map(modeOf)).toEqual([0o700, 0o700])
  expect(new Set(readdirSync(store.folder).map((name) => modeOf(join(store.folder, name))))).toEqual(
    new Set([0o600]),
  )
})

describe('whatever happens to the folder', () => {
  const prompt = fc
    .tuple(
      fc.array(fc.constantFrom('a', 'b'), { minLength: 1, maxLength: 5 }),
      fc.oneof(fc.integer({ min: 1, max: 130 }), fc.constantFrom(28, 56, 84, 112)),
    )
    .map(([words, rest]) => letters(words.join('')) + 'c'.repeat(rest))
  const act = fc.record({
    how: fc.constantFrom('alone', 'conversation', 'samples', 'new process', 'leave', 'evict'),
    prompt,
    seed: fc.nat(20),
    maxTokens: fc.integer({ min: 1, max: 140 }),
    keep: fc.nat(6),
  })

  test(
    'answers are those of a model that shares nothing',
    async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.array(act, { minLength: 3, maxLength: 12 }),
          fc.integer({ min: 12, max: 40 }),
          async (acts, kvPages) => {
            const folder = cacheFolder()
            let opened = openStored(folder, { kvPages })
            let conversation = opened.engine.openConversation()
            for (const { how, prompt, seed, maxTokens, keep } of acts) {
              const request = rawRequest(prompt, seed, maxTokens)
              if (how === 'new process') {
                conversation.dispose()
                await opened.engine.dispose()
                expect(opened.runner.pool.inUse).toBe(0)
                opened = openStored(folder, { kvPages })
                conversation = opened.engine.openConversation()
              } else if (how === 'evict') {
                const [page] = allPages(folder)
                prunePages(folder, keep * (page?.bytes ?? 0))
              } else if (how === 'leave') {
                await leave(opened.engine, [request])
              } else if (how === 'samples') {
                const sinks = [collectingSink(), collectingSink()]
                await opened.engine.sample(
                  request,
                  sinks.map((sink) => ({ sink })),
                )
                expect(sinks[0]!.text).toBe(await alone(request))
              } else {
                const asked = how === 'alone' ? opened.engine : conversation
                expect((await ask(asked, request)).text).toBe(await alone(request))
              }
            }
            conversation.dispose()
            await opened.engine.dispose()
            expect(opened.runner.pool.inUse).toBe(0)
          },
        ),
        { numRuns: CONVERSATIONS },
      )
    },
    MOST_MS,
  )
})
