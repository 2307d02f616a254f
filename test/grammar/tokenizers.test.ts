/** Every kind of tokenizer: what is written under a mask, as it is decoded, satisfies the structure. */
import { existsSync, readdirSync } from 'node:fs'
import { isDeepStrictEqual } from 'node:util'
import { expect, test } from 'vitest'
import { TokenOutputStream } from '../../src/generation/token-output-stream.ts'
import { checkText } from '../../src/grammar/check-text.ts'
import { openConstraint, type Structure } from '../../src/grammar/structure.ts'
import { sliceVocabulary } from '../../src/grammar/vocabulary/slices.ts'
import { tokenBytesOf } from '../../src/grammar/vocabulary/vocabulary.ts'
import { readVocabulary, writeVocabulary } from '../../src/grammar/vocabulary/vocabulary-file.ts'
import { loadTokenizer } from '../../src/tokenizer/load-tokenizer.ts'
import { idsOf } from './small-world.ts'

const FOLDER = '../shared/data/tokenizers'
const here = existsSync(FOLDER)
/** One of each kind that is there: byte-level, SentencePiece with bytes behind it, old and new. */
const SOME = new Set(['smollm2', 'llama-2', 'mistral-v0.3'])
const all = here ? readdirSync(FOLDER).filter((name) => existsSync(`${FOLDER}/${name}/tokenizer.json`)) : []
const names = process.env.SPOUT_TOKENIZERS === 'all' ? all : all.filter((name) => SOME.has(name))

test.skipIf(!here)('tokenizers of models in use (needs ../shared/data)', () => {
  expect(names.length).toBeGreaterThan(1)
})

const STRUCTURES: readonly Structure[] = [
  {
    kind: 'schema',
    schema: JSON.stringify({
      type: 'object',
      properties: {
        name: { type: 'string', maxLength: 12 },
        kind: { enum: ['first', 'second'] },
        n: { type: 'integer', minimum: 0, maximum: 99 },
      },
      required: ['name', 'kind', 'n'],
    }),
    options: { closed: true },
  },
  { kind: 'choice', choices: ['the first of them', 'second'] },
]

test.each(names)('%s', async (name) => {
  const tokenizer = await loadTokenizer(`${FOLDER}/${name}`)
  const built = sliceVocabulary(tokenBytesOf(tokenizer, []))
  // As a later run reads it.
  const vocabulary = readVocabulary(writeVocabulary(built, 'x'), 'x', built.encode)!
  // Of tens of thousands of numbers each: what differs would not be readable anyway.
  const without = { encode: undefined }
  expect(isDeepStrictEqual({ ...vocabulary, ...without }, { ...built, ...without })).toBe(true)
  for (const structure of STRUCTURES) {
    for (let seed = 1; seed <= 6; seed++) {
      const constraint = openConstraint(structure, vocabulary)
      const stream = new TokenOutputStream(tokenizer)
      let text = ''
      let state = seed * 7919
      for (let step = 0; step < 200 && !constraint.mustEnd; step++) {
        const ids = idsOf(constraint.allowed())
        expect(ids.length).toBeGreaterThan(0)
        state = (Math.imul(state, 1103515245) + 12345) >>> 0
        const id = ids[(state >>> 8) % ids.length]!
        constraint.accept(id)
        text += stream.push(id)
      }
      text += stream.flush()
      const { isWritten, at } = checkText(structure, new TextEncoder().encode(text))
      // One that was not finished is a beginning.
      expect([text, isWritten || (!constraint.isComplete && at === Buffer.byteLength(text))]).toEqual([
        text,
        true,
      ])
    }
  }
})

test('a vocabulary that is damaged, or of something else, is not read', () => {
  const bytes = (id: number) => Uint8Array.of(id)
  const file = writeVocabulary(
    sliceVocabulary({ size: 256, endIds: [], dropsFirstSpace: false, bytes }),
    'a tokenizer',
  )
  expect(readVocabulary(file, 'a tokenizer', undefined)).toBeDefined()
  expect(readVocabulary(file, 'another', undefined)).toBeUndefined()
  expect(readVocabulary(file.subarray(0, file.length - 4), 'a tokenizer', undefined)).toBeUndefined()
  for (const at of [0, 5, 40, file.length - 1]) {
    const damaged = file.slice()
    damaged[at]! ^= 1
    expect(readVocabulary(damaged, 'a tokenizer', undefined)).toBeUndefined()
  }
})
