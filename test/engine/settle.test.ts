/**
 * A conversation in four bits, where decoding rounds differently from reading: every turn says what a run over the whole
 * conversation says, settled or not, and a settled one reads its own tokens only.
 */
import { writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { LocalConversation } from '../../src/engine/conversation.ts'
import type { Conversation, Engine } from '../../src/engine/engine.ts'
import { type GenerateRequest, makeRequest, type RequestInput } from '../../src/engine/request.ts'
import { kernelChoice } from '../../src/kernels/isa.ts'
import { openEngine } from '../../src/open/open-engine.ts'
import { loadTokenizer } from '../../src/tokenizer/load-tokenizer.ts'
import type { Tokenizer } from '../../src/tokenizer/tokenizer.ts'
import { collectingSink } from '../support/collecting-sink.ts'
import { TINY_MODEL } from '../support/models.ts'
import { scriptedBackend } from '../support/scripted-backend.ts'

const TEMPLATE =
  "{% for m in messages %}{{ m.role + ':' + m.content + '\n\n' }}{% endfor %}{{ 'assistant:' }}"
/** What follows the message of a turn. */
const OPENING = '\n\nassistant:'
const MESSAGES = [
  'The prince looked at the door and said nothing. '.repeat(60),
  'What did he say then?',
  'And what did the king answer to that?',
  'Tell me of the war, and of the peace that came after it.',
  'Go on.',
  'What did she think of him?',
]

/** By ONNX Runtime's kernels, where decoding rounds differently from reading. */
let engine: Engine
/** By ours, where it does not. */
let exact: Engine
/** The same, where nothing is kept of any text. */
let forgetful: Engine
let tokenizer: Tokenizer
let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'spout-template-'))
  const file = join(folder, 'template.jinja')
  writeFileSync(file, TEMPLATE)
  engine = await openEngine({ chatTemplateFile: file, threads: 1, precise: true })
  exact = await openEngine({ chatTemplateFile: file, threads: 1 })
  forgetful = await openEngine({ chatTemplateFile: file, threads: 1, promptCache: false })
  tokenizer = await loadTokenizer(TINY_MODEL.folder)
})
afterAll(async () => {
  await engine.dispose()
  await exact.dispose()
  await forgetful.dispose()
  await rm(folder, { recursive: true })
})

async function ask(asked: Pick<Conversation, 'generate'>, request: GenerateRequest) {
  const sink = collectingSink()
  const result = await asked.generate(request, { sink })
  return { ...result, text: sink.text, read: result.promptTokens - result.keptTokens }
}

/** Answers of fresh runs, by request: the conversations of a chain that settle and those that do not say the same. */
const fresh = new Map<string, ReturnType<typeof ask>>()

function askAfresh(on: Engine, request: GenerateRequest): ReturnType<typeof ask> {
  const key = JSON.stringify([on === exact, request], (_, value) =>
    typeof value === 'bigint' ? `${value}` : value,
  )
  const answer = fresh.get(key) ?? ask(on === exact ? forgetful : on, request)
  fresh.set(key, answer)
  return answer
}

/** The turns of a conversation, each also as a fresh run; after each of them, `between`. */
async function converse(
  sampling: NonNullable<RequestInput['sampling']>,
  between: (conversation: Conversation, next: GenerateRequest) => Promise<unknown>,
  on = engine,
) {
  const conversation = on.openConversation()
  const turns: { answer: Awaited<ReturnType<typeof ask>>; message: string }[] = []
  const history: { role: string; content: string }[] = []
  const request = (prompt: string): GenerateRequest =>
    makeRequest({ prompt, history: [...history], maxTokens: 40, ignoreEos: true, sampling })
  for (const message of MESSAGES) {
    const answer = await ask(conversation, request(message))
    const alone = await askAfresh(on, request(message))
    expect(answer.tokenIds, message).toEqual(alone.tokenIds)
    expect(answer.text).toBe(alone.text)
    expect(alone.keptTokens).toBe(0)
    turns.push({ answer, message })
    history.push({ role: 'user', content: message }, { role: 'assistant', content: answer.text })
    await between(conversation, request('anything'))
  }
  conversation.dispose()
  return turns
}

const CHAINS = [
  { name: 'greedy', sampling: { temperature: 0 } },
  {
    name: 'with draws and penalties',
    sampling: { temperature: 0.9, topK: 50, seed: 5n, repetitionPenalty: 1.1, presencePenalty: 0.3 },
  },
]

describe.each(CHAINS)('$name', ({ sampling }) => {
  test('a conversation of 900 tokens that settles reads its own tokens only', async () => {
    const settled: number[] = []
    const turns = await converse(sampling, async (conversation, next) => {
      settled.push((await conversation.settle(next)).tokens)
      expect(await conversation.settle(next)).toEqual({ tokens: 0, ms: 0 })
    })
    expect(turns.at(-1)!.answer.promptTokens).toBeGreaterThan(800)
    for (const [i, { answer, message }] of turns.entries()) {
      if (i > 0) expect(answer.read).toBe(tokenizer.encode(message + OPENING).length)
      // The answer, and what opens the turn after it.
      expect(settled[i]).toBeGreaterThanOrEqual(answer.tokenIds.length)
    }
  })

  test('one that does not settle reads each answer with the turn after it', async () => {
    const turns = await converse(sampling, async () => undefined)
    for (const [i, { answer }] of turns.entries()) {
      if (i > 0) expect(answer.keptTokens).toBe(turns[i - 1]!.answer.promptTokens)
    }
  })

  test.skipIf(kernelChoice().isa === undefined)(
    'where it rounds alike, nothing is settled and answers are kept',
    async () => {
      const settle = async (conversation: Conversation, next: GenerateRequest): Promise<void> => {
        expect(await conversation.settle(next)).toEqual({ tokens: 0, ms: 0 })
      }
      const turns = await converse(sampling, settle, exact)
      for (const [i, { answer }] of turns.entries()) {
        if (i > 0) expect(answer.keptTokens).toBeGreaterThan(turns[i - 1]!.answer.promptTokens)
      }
    },
  )
})

describe('settling', () => {
  const sampling = { temperature: 0 }
  const first = makeRequest({ prompt: MESSAGES[0]!.slice(0, 2000), maxTokens: 60, ignoreEos: true, sampling })
  const history = (text: string): { role: string; content: string }[] => [
    { role: 'user', content: MESSAGES[0]!.slice(0, 2000) },
    { role: 'assistant', content: text },
  ]

  test('that is stopped loses nothing, and goes on', async () => {
    const conversation = engine.openConversation()
    const { text } = await ask(conversation, first)
    const next = makeRequest({ prompt: 'Go on.', history: history(text), maxTokens: 40, sampling })
    const already = AbortSignal.abort()
    expect((await conversation.settle(next, { signal: already })).tokens).toBe(0)
    const abort = new AbortController()
    const stopped = conversation.settle(next, { signal: abort.signal })
    abort.abort()
    const done = (await stopped).tokens + (await conversation.settle(next)).tokens
    expect(done).toBeGreaterThanOrEqual(60)
    const answer = await ask(conversation, next)
    expect(answer.read).toBe(tokenizer.encode(`Go on.${OPENING}`).length)
    expect(answer.tokenIds).toEqual((await ask(engine, next)).tokenIds)
    conversation.dispose()
  })

  test('is of no matter to a message that is answered anew, or to one that is another', async () => {
    const conversation = engine.openConversation()
    const { text, tokenIds } = await ask(conversation, first)
    await conversation.settle(makeRequest({ prompt: 'x', history: history(text), sampling }))
    expect((await ask(conversation, first)).tokenIds).toEqual(tokenIds)
    await conversation.settle(makeRequest({ prompt: 'x', history: history('No.'), sampling }))
    const other = makeRequest({ prompt: 'And?', history: history('No!'), maxTokens: 40, sampling })
    expect((await ask(conversation, other)).tokenIds).toEqual((await ask(engine, other)).tokenIds)
    conversation.dispose()
  })

  test('before anything was said, and of what the context has no room for, does nothing', async () => {
    const conversation = engine.openConversation()
    expect((await conversation.settle(first)).tokens).toBe(0)
    const { text } = await ask(conversation, first)
    const long = makeRequest({ prompt: 'x', history: history(text.repeat(100)), sampling })
    expect((await conversation.settle(long)).tokens).toBe(0)
    conversation.dispose()
  })
})

test('where decoding rounds as reading does, nothing is settled and all is kept', async () => {
  const backend = Object.assign(scriptedBackend('abc', { promptTokens: 2 }), { settles: false })
  const conversation = new LocalConversation({ backend, defaults: {}, template: undefined })
  await ask(conversation, makeRequest({ prompt: 'xy', maxTokens: 3 }))
  const history = [
    { role: 'user', content: 'xy' },
    { role: 'assistant', content: 'abc' },
  ]
  const next = makeRequest({ prompt: 'z', history, maxTokens: 1 })
  expect((await conversation.settle(next)).tokens).toBe(0)
  expect((await ask(conversation, next)).keptTokens).toBe('xyab'.length)
})

test('states that cannot go back are kept where the next turn will begin, and for one request not at all', async () => {
  const marks: number[] = []
  const backend = scriptedBackend('abc', { promptTokens: 2 })
  const createCache = () => {
    const cache = backend.createCache()
    return Object.assign(cache, { canTrim: false, mark: () => void marks.push(cache.length) })
  }
  const parts = {
    backend: Object.assign(Object.create(backend), { createCache }),
    defaults: {},
    template: undefined,
  }
  const request = makeRequest({ prompt: 'xy', maxTokens: 3 })
  await ask(new LocalConversation(parts), request)
  expect(marks).toEqual([])
  const conversation = new LocalConversation(parts, { goesOn: true })
  await ask(conversation, request)
  const history = [
    { role: 'user', content: 'xy' },
    { role: 'assistant', content: 'abc' },
  ]
  await conversation.settle(makeRequest({ prompt: 'z', history }))
  expect(marks).toEqual(['xy'.length, 'xyabc\n\n'.length])
})

test('a prompt of one id ran as decoding does, so no other prompt begins with what it left', async () => {
  const backend = scriptedBackend('xyz', { promptTokens: 1 })
  const conversation = new LocalConversation({ backend, defaults: {}, template: undefined })
  await ask(conversation, makeRequest({ prompt: 'a', raw: true, maxTokens: 2 }))
  const { keptTokens } = await ask(conversation, makeRequest({ prompt: 'abcdef', raw: true, maxTokens: 1 }))
  expect(keptTokens).toBe(0)
})
