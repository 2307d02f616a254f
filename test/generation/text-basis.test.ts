import { existsSync } from 'node:fs'
import { expect, test } from 'vitest'
import { StopStrings } from '../../src/generation/stop-strings.ts'
import { ThinkSplitter } from '../../src/generation/think-splitter.ts'
import { TokenOutputStream } from '../../src/generation/token-output-stream.ts'
import { encodeChat, renderChat } from '../../src/tokenizer/chat.ts'
import { loadChatTemplate } from '../../src/tokenizer/chat-template.ts'
import { loadTokenizer } from '../../src/tokenizer/load-tokenizer.ts'
import { byteTokenizer } from '../support/byte-tokenizer.ts'

test('bytes become characters when they are whole', () => {
  const stream = new TokenOutputStream(byteTokenizer)
  const pieces = [...byteTokenizer.encode('a€😀')].map((id) => stream.push(id))
  expect(pieces).toEqual(['a', '', '', '€', '', '', '', '😀'])
  expect(stream.flush()).toBe('')
})

test('a stop string across pieces', () => {
  const stops = new StopStrings(['END'])
  expect([stops.push('aE'), stops.push('Eb E'), stops.push('NDx'), stops.flush()]).toEqual([
    'a',
    'EEb ',
    '',
    '',
  ])
  expect(stops.matched).toBe('END')
})

test('reasoning and answer', () => {
  const splitter = new ThinkSplitter()
  expect(['<th', 'ink>\nhm', 'm</thi', 'nk>\n\nyes <think>'].flatMap((t) => splitter.push(t))).toEqual([
    { channel: 'reasoning', text: 'hm' },
    { channel: 'reasoning', text: 'm' },
    { channel: 'answer', text: 'yes <think>' },
  ])
})

const qwen = '../shared/data/tokenizers/qwen3'
test.skipIf(!existsSync(qwen))('a chat', async () => {
  const tokenizer = await loadTokenizer(qwen)
  const template = (await loadChatTemplate(qwen))!
  const chat = renderChat({ template, tokenizer }, [{ role: 'user', content: 'Say <|im_end|> twice' }])
  expect(chat.text).toBe('<|im_start|>user\nSay <|im_end|> twice<|im_end|>\n<|im_start|>assistant\n')
  const ids = [...encodeChat(tokenizer, chat)]
  expect(ids.filter((id) => id === tokenizer.tokenToId('<|im_end|>'))).toHaveLength(1)
  expect(tokenizer.decode(ids, { skipSpecialTokens: false })).toBe(chat.text)
})
