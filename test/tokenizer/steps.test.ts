import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { TokenOutputStream } from '../../src/generation/token-output-stream.ts'
import { toByteLevel } from '../../src/tokenizer/byte-level.ts'
import { compileTokenDecoder } from '../../src/tokenizer/decoder.ts'
import { compileListDecoder } from '../../src/tokenizer/list-decoder.ts'
import { compileNormalizer } from '../../src/tokenizer/normalizer.ts'
import { createPieceTable } from '../../src/tokenizer/piece-table.ts'
import { compilePreTokenizer } from '../../src/tokenizer/pre-tokenizer.ts'
import type { Tokenizer } from '../../src/tokenizer/tokenizer.ts'
import type { Step } from '../../src/tokenizer/tokenizer-json.ts'

interface Golden {
  readonly texts: string[]
  readonly tokens: string[][]
  readonly preTokenizers: { step: Step; words: string[][] }[]
  readonly normalizers: { step: Step; texts: string[] }[]
  readonly decoders: { step: Step; texts: (string | null)[] }[] // null where the library itself fails
}

/** Made by the Rust library: see fixtures/make/steps-golden.py. */
const golden: Golden = JSON.parse(readFileSync('fixtures/golden/text-steps.json', 'utf8'))
const name = (step: Step) => JSON.stringify(step)

describe('pre-tokenizers', () => {
  test.each(golden.preTokenizers.map((entry) => [name(entry.step), entry] as const))(
    '%s',
    (_, { step, words }) => {
      const { split, byteLevel } = compilePreTokenizer(step)
      const made = golden.texts.map((text) =>
        text === '' ? [] : split(text, true).map(byteLevel ? toByteLevel : String),
      )
      expect(made).toEqual(words.map((list, i) => (golden.texts[i] === '' ? [] : list)))
    },
  )
})

describe('normalizers', () => {
  test.each(golden.normalizers.map((entry) => [name(entry.step), entry] as const))(
    '%s',
    (_, { step, texts }) => {
      const normalize = compileNormalizer(step)
      expect(golden.texts.map(normalize)).toEqual(texts)
    },
  )
})

describe('decoders', () => {
  const cases = golden.decoders.map((entry) => [name(entry.step), entry] as const)

  test.each(cases)('%s', (_, { step, texts }) => {
    const decode = compileListDecoder(step)
    texts.forEach((text, i) => {
      if (text !== null) expect(decode(golden.tokens[i]!)).toBe(text)
    })
  })

  /** Decoded by window, characters leave before their run of bytes has ended, and a bad run is known too late. */
  const broken = golden.tokens.findIndex((tokens) => tokens.includes('<0xFF>'))

  test.each(cases)('%s, id by id', (_, { step, texts }) => {
    golden.tokens.forEach((tokens, i) => {
      const tokenizer = tokenizerOf(tokens, step)
      if (texts[i] === null || (tokenizer.pieces === undefined && i === broken)) return
      const stream = new TokenOutputStream(tokenizer)
      const streamed = tokens.map((_token, id) => stream.push(id)).join('') + stream.flush()
      expect(streamed).toBe(texts[i])
    })
  })
})

/** Just enough of a tokenizer to decode: the ids are the places in the list. */
function tokenizerOf(tokens: readonly string[], step: Step): Tokenizer {
  const decoder = compileTokenDecoder(step)
  const decode = compileListDecoder(step)
  return {
    pieces: decoder && createPieceTable((id) => tokens[id], decoder),
    decode: (ids: ArrayLike<number>) => decode(Array.from(ids, (id) => tokens[id]!)),
    isSpecial: () => false,
  } as Partial<Tokenizer> as Tokenizer
}
