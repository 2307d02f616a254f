/** A conversation computes only what is new, and says what a run over all of it says. */
import { writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { LocalConversation } from '../../src/engine/conversation.ts'
import type { Conversation, Engine, EngineResult } from '../../src/engine/engine.ts'
import { makeRequest, type RequestInput } from '../../src/engine/request.ts'
import { openEngine } from '../../src/open/open-engine.ts'
import { loadTokenizer } from '../../src/tokenizer/load-tokenizer.ts'
import { collectingSink } from '../support/collecting-sink.ts'
import { CHAT_MODEL, TINY_MODEL } from '../support/models.ts'
import { scriptedBackend } from '../support/scripted-backend.ts'

const TEMPLATE =
  "{% for m in messages %}{{ m.role + ': ' + m.content + '\n\n' }}{% endfor %}{{ 'assistant:' }}"

interface Answer extends EngineResult {
  readonly text: string
}

async function ask(
  asked: Pick<Conversation, 'generate'>,
  input: RequestInput,
  signal?: AbortSignal,
): Promise<Answer> {
  const sink = collectingSink()
  const result = await asked.generate(makeRequest(input), { sink, signal })
  return { ...result, text: sink.text }
}

describe.each(['tiny-chat', 'spout-tiny'])('%s', (name) => {
  let engine: Engine
  let folder: string
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'spout-template-'))
    const file = join(folder, 'template.jinja')
    writeFileSync(file, TEMPLATE)
    // In four bits a token that was decoded and one that was prefilled differ in their last digits: fp32 is exact.
    engine = await openEngine(
      name === 'tiny-chat'
        ? { model: CHAT_MODEL.folder, dtype: 'fp32' }
        : { dtype: 'fp32', chatTemplateFile: file },
    )
  })
  afterAll(async () => {
    await engine.dispose()
    await rm(folder, { recursive: true })
  })

  /** Turns, one after the other, each compared with a run over the whole conversation. */
  async function converse(messages: readonly string[], sampling: RequestInput['sampling'] = {}) {
    const conversation = engine.openConversation()
    const history: { role: string; content: string }[] = []
    const answers: Answer[] = []
    for (const prompt of messages) {
      const input = { prompt, history: [...history], system: 'be brief', maxTokens: 12, sampling }
      const answer = await ask(conversation, input)
      const fresh = await ask(engine, input)
      expect(answer.tokenIds).toEqual(fresh.tokenIds)
      expect(answer.text).toBe(fresh.text)
      expect(answer.promptTokens).toBe(fresh.promptTokens)
      expect(fresh.keptTokens).toBe(0)
      answers.push(answer)
      history.push({ role: 'user', content: prompt }, { role: 'assistant', content: answer.text })
    }
    conversation.dispose()
    return answers
  }

  test('a turn keeps at least all that the turn before was given', async () => {
    const [first, second, third] = await converse(['Who are you?', 'And then?', 'Go on, please.'], {
      temperature: 0,
    })
    expect(first!.keptTokens).toBe(0)
    expect(second!.keptTokens).toBeGreaterThanOrEqual(first!.promptTokens - 1)
    expect(third!.keptTokens).toBeGreaterThanOrEqual(second!.promptTokens - 1)
  })

  test('penalties and draws are those of a fresh run', async () => {
    await converse(['Who are you?', 'And then?'], {
      temperature: 0.9,
      topK: 50,
      seed: 7n,
      repetitionPenalty: 1.3,
      presencePenalty: 0.5,
      noRepeatNgramSize: 3,
    })
  })

  test('another message in the same place costs what differs', async () => {
    const conversation = engine.openConversation()
    const sampling = { temperature: 0 }
    const one = await ask(conversation, { prompt: 'The same beginning, one', maxTokens: 5, sampling })
    const input = { prompt: 'The same beginning, two', maxTokens: 5, sampling }
    const two = await ask(conversation, input)
    expect(two.keptTokens).toBeGreaterThan(3)
    expect(two.keptTokens).toBeLessThan(one.promptTokens)
    expect(two.tokenIds).toEqual((await ask(engine, input)).tokenIds)
    const again = await ask(conversation, input)
    // The last two ids are run again: one for its logits, two so that they run as a prompt does.
    expect(again.keptTokens).toBe(again.promptTokens - 2)
    expect(again.tokenIds).toEqual(two.tokenIds)
    conversation.dispose()
  })

  test('an answer that is stopped leaves a sound conversation', async () => {
    const conversation = engine.openConversation()
    const sampling = { temperature: 0 }
    const abort = new AbortController()
    const sink = collectingSink()
    const stopped = await conversation.generate(
      makeRequest({ prompt: 'Who are you?', ignoreEos: true, maxTokens: 40, sampling }),
      {
        signal: abort.signal,
        sink: {
          ...sink,
          token(id, text) {
            if (sink.ids.length === 5) abort.abort()
            return sink.token(id, text)
          },
        },
      },
    )
    expect(stopped.finishReason).toBe('aborted')
    const history = [
      { role: 'user', content: 'Who are you?' },
      { role: 'assistant', content: sink.text },
    ]
    const input = { prompt: 'Go on', history, maxTokens: 8, sampling }
    const next = await ask(conversation, input)
    expect(next.keptTokens).toBeGreaterThanOrEqual(stopped.promptTokens - 1)
    expect(next.tokenIds).toEqual((await ask(engine, input)).tokenIds)
    conversation.dispose()
  })
})

test('the second turn of a conversation of 2,000 tokens reads only its own', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'spout-template-'))
  writeFileSync(join(folder, 'template.jinja'), TEMPLATE)
  const engine = await openEngine({ dtype: 'fp32', chatTemplateFile: join(folder, 'template.jinja') })
  const conversation = engine.openConversation()
  const sampling = { temperature: 0 }
  const sentence = 'The prince looked at the door and said nothing. '
  const tokenizer = await loadTokenizer(TINY_MODEL.folder)
  const each = tokenizer.encode(sentence.repeat(11)).length - tokenizer.encode(sentence).length
  const prompt = sentence.repeat(Math.floor((10 * 1960) / each))
  const first = await ask(conversation, { prompt, maxTokens: 10, sampling })
  const history = [
    { role: 'user', content: prompt },
    { role: 'assistant', content: first.text },
  ]
  const input = { prompt: 'What did he say then?', history, maxTokens: 10, sampling }
  const second = await ask(conversation, input)
  expect(second.promptTokens).toBeGreaterThan(1900)
  expect(second.promptTokens - second.keptTokens).toBeLessThan(60)
  expect(second.text).toBe((await ask(engine, input)).text)
  conversation.dispose()
  await engine.dispose()
  await rm(folder, { recursive: true })
})

test('a cache that cannot forget is made anew', async () => {
  const backend = scriptedBackend('abc', { promptTokens: 2 })
  const createCache = () => ({ ...backend.createCache(), trim: () => undefined })
  const parts = { defaults: {}, template: undefined }
  const conversation = new LocalConversation({
    ...parts,
    backend: Object.assign(Object.create(backend), { createCache }),
  })
  await ask(conversation, { prompt: 'xy', maxTokens: 2 })
  const second = await ask(conversation, { prompt: 'xz', maxTokens: 2 })
  expect(second.keptTokens).toBe(0)
  expect(backend.calls.at(-2)).toEqual([...Buffer.from('xz')])
})
