import { expect, test } from 'vitest'
import type { ChatTemplate } from '../../src/chat-template/chat-template.ts'
import { chatStopsOf } from '../../src/open/chat-stops.ts'
import type { Tokenizer } from '../../src/tokenizer/tokenizer.ts'

const ids: Readonly<Record<string, number>> = { '<|endoftext|>': 3, '<|im_end|>': 5, '<far>': 99 }
const tokenizer = { tokenToId: (token: string) => ids[token] } as Tokenizer
const stops = (eosToken: string | undefined, known: readonly number[]) =>
  chatStopsOf({ eosToken } as ChatTemplate, { tokenizer, stopTokenIds: new Set(known), vocabSize: 10 })

test("a chat also ends at the tokenizer's end token, and that is noted", () => {
  const { ids: found, notes } = stops('<|im_end|>', [3])
  expect([...found!]).toEqual([3, 5])
  expect(notes).toEqual([
    {
      text: '<|im_end|> ends an answer too: tokenizer_config.json names it, generation_config.json does not',
      level: 'info',
    },
  ])
})

test('where it is known, missing, or no token of the model, nothing changes', () => {
  expect(stops('<|im_end|>', [3, 5]).notes).toEqual([])
  for (const token of [undefined, '<nowhere>', '<far>']) expect([...stops(token, [3]).ids!]).toEqual([3])
})

test('a model that names no end at all is warned of', () => {
  expect([...stops('<|im_end|>', []).ids!]).toEqual([5])
  expect(stops(undefined, []).notes).toEqual([expect.objectContaining({ level: 'warning' })])
})

test('without a template nothing is a chat', () => {
  const plain = { tokenizer, stopTokenIds: new Set([3]), vocabSize: 10 }
  expect(chatStopsOf(undefined, plain)).toEqual({ ids: undefined, notes: [] })
})
