/** Requests that come at once: as one after another, to the byte; and nothing after a dispose is a crash. */
import { afterAll, describe, expect, test } from 'vitest'
import { LocalConversation } from '../../src/engine/conversation.ts'
import type { Conversation, Engine, EngineModel } from '../../src/engine/engine.ts'
import { createLocalEngine } from '../../src/engine/local-engine.ts'
import { makeRequest } from '../../src/engine/request.ts'
import { openBackend, openEngine } from '../../src/open/open-engine.ts'
import { collectingSink } from '../support/collecting-sink.ts'
import { hasShared, SHARED } from '../support/models.ts'
import { scriptedBackend } from '../support/scripted-backend.ts'

const MODEL = {} as EngineModel
const PROMPTS = ['Once upon a time', 'The little dog', 'A red ball', 'One day, Tom', 'She said']

async function ask(
  asked: Pick<Conversation, 'generate'>,
  prompt: string,
  signal?: AbortSignal,
  length: { readonly maxTokens: number; readonly ignoreEos?: boolean } = { maxTokens: 12 },
) {
  const sink = collectingSink()
  const sampling = { temperature: 0.8, seed: BigInt(prompt.length) }
  const request = makeRequest({ prompt, ...length, sampling })
  const { tokenIds, finishReason } = await asked.generate(request, { sink, signal })
  return { text: sink.text, tokenIds, finishReason }
}

const oneByOne = async (engine: Engine) => {
  const answers: Awaited<ReturnType<typeof ask>>[] = []
  for (const prompt of PROMPTS) answers.push(await ask(engine, prompt))
  return answers
}

const models = [
  ['the embedded model', {}],
  ['the embedded model over the npm binding', { runtime: 'node' }],
  ...(hasShared ? [['a graph with Concat', { model: `${SHARED}/models/stories260K/concat` }] as const] : []),
] as const

describe.each(models)('%s', (_, options) => {
  const opening = openEngine({ ...options, dtype: 'fp32', threads: 1, offline: true })
  afterAll(async () => (await opening).dispose())

  test('many at once are one after another', async () => {
    const engine = await opening
    const conversations = PROMPTS.map(() => engine.openConversation())
    const expected = await oneByOne(engine)
    expect(await Promise.all(PROMPTS.map((prompt) => ask(engine, prompt)))).toEqual(expected)
    const mixed = PROMPTS.map((prompt, i) => ask(i % 2 === 0 ? engine : conversations[i]!, prompt))
    expect(await Promise.all(mixed)).toEqual(expected)
    for (const conversation of conversations) conversation.dispose()
  })

  test('who waits can be aborted, and nobody else notices', async () => {
    const engine = await opening
    const [first, second] = await oneByOne(engine)
    const waiting = new AbortController()
    const running = ask(engine, PROMPTS[0]!)
    const aborted = ask(engine, PROMPTS[2]!, waiting.signal)
    const last = ask(engine, PROMPTS[1]!)
    waiting.abort()
    expect(await aborted).toEqual({ text: '', tokenIds: [], finishReason: 'aborted' })
    expect(await ask(engine, PROMPTS[3]!, AbortSignal.abort())).toMatchObject({ finishReason: 'aborted' })
    expect([await running, await last]).toEqual([first, second])
  })
})

describe.each(models)('after a dispose: %s', (_, options) => {
  const open = () => openEngine({ ...options, dtype: 'fp32', threads: 1, offline: true })
  const disposed = { name: 'SpoutError', code: 'usage' }

  test('every call is a SpoutError, and a run that was on its way ends', async () => {
    const engine = await open()
    const conversation = engine.openConversation()
    const kept = engine.openConversation()
    await ask(kept, PROMPTS[0]!)
    // Too long to be over by then, however busy the machine is.
    const endless = { maxTokens: 400, ignoreEos: true }
    const calls = [ask(conversation, PROMPTS[0]!, undefined, endless), ask(engine, PROMPTS[1]!)]
    // Within the first run, or between two.
    await new Promise(setImmediate)
    const ends = Promise.allSettled(calls)
    await Promise.all([engine.dispose(), engine.dispose()])
    const [running, waiting] = await ends
    expect(running).toMatchObject({ value: { finishReason: 'aborted' } })
    expect(waiting).toMatchObject({ reason: disposed })
    for (const each of [engine, conversation, kept]) {
      await expect(ask(each, PROMPTS[0]!)).rejects.toMatchObject(disposed)
    }
    await expect(kept.settle(makeRequest({ prompt: 'x' }))).rejects.toMatchObject(disposed)
    kept.dispose()
    conversation.dispose()
    await engine.dispose()
  })

  test('of a backend as well, in the middle of a forward', async () => {
    const { backend } = await openBackend({ ...options, dtype: 'fp32', threads: 1, offline: true })
    const cache = backend.createCache()
    const prompt = Int32Array.of(5, 6, 7)
    await backend.forward(prompt, cache)
    const running = backend.forward(prompt, cache)
    await expect(backend.forward(prompt, cache)).rejects.toMatchObject(disposed)
    const ended = running.catch((error) => error)
    await backend.dispose()
    expect([{ row: expect.anything() }, expect.objectContaining(disposed)]).toContainEqual(await ended)
    await expect(backend.forward(prompt, cache)).rejects.toMatchObject(disposed)
    expect(() => backend.createCache()).toThrow(expect.objectContaining(disposed))
    cache.dispose()
    await backend.dispose()
  })
})

test('a sink may dispose its engine or conversation', async () => {
  const engine = await openEngine({ threads: 1 })
  for (const what of ['conversation', 'engine'] as const) {
    const conversation = engine.openConversation()
    const sink = collectingSink()
    const result = await conversation.generate(makeRequest({ prompt: 'Hello', ignoreEos: true }), {
      sink: {
        ...sink,
        async token(id, text) {
          sink.token(id, text)
          if (sink.ids.length === 3) await (what === 'engine' ? engine : conversation).dispose()
        },
      },
    })
    expect(result).toMatchObject({ finishReason: 'aborted', tokenIds: sink.ids })
    expect(sink.ids).toHaveLength(3)
    await expect(ask(conversation, 'again')).rejects.toMatchObject({ code: 'usage' })
  }
})

test.each(['a conversation', 'an engine'])('a turn of %s that fails is left', async (whose) => {
  let runs = 0
  const no = (): unknown => runs++ === 0 && Promise.reject(new Error('no'))
  const backend = scriptedBackend('abc', { promptTokens: 2, onForward: no })
  const parts = { backend, defaults: {}, template: undefined }
  const asked =
    whose === 'an engine' ? createLocalEngine({ ...parts, model: MODEL }) : new LocalConversation(parts)
  const [first, second] = await Promise.allSettled([ask(asked, 'hi'), ask(asked, 'hi')])
  expect(first!.status).toBe('rejected')
  expect(second).toMatchObject({ value: { finishReason: 'stop' } })
})
