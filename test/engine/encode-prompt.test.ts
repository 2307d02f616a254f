/** What becomes of a prompt on its way to ids, and what is said about it. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type ChatTemplate, loadChatTemplate } from '../../src/chat-template/chat-template.ts'
import { LocalConversation } from '../../src/engine/conversation.ts'
import { encodePrompt } from '../../src/engine/encode-prompt.ts'
import { makeRequest, type RequestInput } from '../../src/engine/request.ts'
import { loadTokenizer } from '../../src/tokenizer/load-tokenizer.ts'
import { collectingSink } from '../support/collecting-sink.ts'
import { scriptedBackend } from '../support/scripted-backend.ts'

const CHAT = '{% for m in messages %}{{ m.content }}{% endfor %}{% if enable_thinking %}!{% endif %}'

let folder: string
let template: ChatTemplate
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'spout-encode-'))
  await writeFile(join(folder, 'chat_template.jinja'), CHAT)
  template = (await loadChatTemplate(folder))!
})
afterAll(() => rm(folder, { recursive: true }))

async function encode(input: RequestInput, withTemplate: boolean) {
  const tokenizer = await loadTokenizer('fixtures/golden/tokenizers/byte-fallback')
  return { tokenizer, ...encodePrompt(makeRequest(input), tokenizer, withTemplate ? template : undefined) }
}

describe('template arguments', () => {
  test('one that the template never looks for is noted, with its name', async () => {
    const templateArgs = { enable_thinkin: false, enable_thinking: false }
    expect((await encode({ prompt: 'hi', templateArgs }, true)).notes).toEqual([
      'template argument enable_thinkin: the chat template never looks for it',
    ])
  })

  test('without a template none does anything', async () => {
    expect((await encode({ prompt: 'hi', templateArgs: { a: 1 } }, false)).notes).toEqual([
      'template argument a: no chat template is used',
    ])
  })
})

describe('the token that the tokenizer puts before every text', () => {
  test('is not written twice where the text begins with it', async () => {
    const { ids, tokenizer, notes } = await encode({ prompt: '<s>the', allowSpecial: true }, false)
    const bare = (await encode({ prompt: 'the' }, false)).ids
    expect([...ids].filter((id) => id === tokenizer.tokenToId('<s>'))).toHaveLength(1)
    expect(ids[0]).toBe(bare[0])
    expect(notes).toEqual(['the prompt begins with <s> itself: it is not written twice'])
  })

  test('stands where the text has none, and before what is text', async () => {
    for (const input of [{ prompt: 'the', allowSpecial: true }, { prompt: '<s>the' }]) {
      const { ids, tokenizer, notes } = await encode(input, false)
      expect(ids[0]).toBe(tokenizer.tokenToId('<s>'))
      expect(ids[1]).not.toBe(ids[0])
      expect(notes).toEqual([])
    }
  })

  test('twice in the text is twice', async () => {
    const { ids, notes } = await encode({ prompt: '<s><s>the', allowSpecial: true }, false)
    expect(ids[1]).toBe(ids[0])
    expect(notes).toEqual([])
  })
})

describe('the ends of a chat', () => {
  async function say(input: RequestInput) {
    const notes: string[] = []
    const parts = {
      backend: scriptedBackend('a|b', { promptTokens: 2 }),
      defaults: {},
      template,
      chatStops: new Set([256, 124]), // | as well
      note: (text: string) => notes.push(text),
    }
    const sink = collectingSink()
    const conversation = new LocalConversation(parts)
    await conversation.generate(makeRequest(input), { sink })
    conversation.dispose()
    return { text: sink.text, notes }
  }

  test('end an answer through the template, and no plain completion', async () => {
    expect((await say({ prompt: 'hi' })).text).toBe('a')
    expect((await say({ prompt: 'hi', raw: true })).text).toBe('a|b')
    expect((await say({ prompt: 'hi', ignoreEos: true, maxTokens: 3 })).text).toBe('a|b')
  })

  test('what is to be said of a prompt is said', async () => {
    expect((await say({ prompt: 'hi', templateArgs: { x: 1 } })).notes).toHaveLength(1)
    expect((await say({ prompt: 'hi' })).notes).toEqual([])
  })
})
