/** What a tokenizer.json may cost: a hostile one ends with an error, at once or within seconds. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createTokenizer } from '../../src/tokenizer/load-tokenizer.ts'
import type { Tokenizer } from '../../src/tokenizer/tokenizer.ts'
import { parseTokenizerJson } from '../../src/tokenizer/tokenizer-json.ts'
import { processorTime } from '../support/processor-time.ts'

const BPE = { type: 'BPE', vocab: { a: 0, b: 1, é: 2 }, merges: [] }
const make = (fields: object): Tokenizer =>
  createTokenizer(parseTokenizerJson(JSON.stringify({ model: BPE, ...fields })))
const times = (count: number, step: object) => Array.from({ length: count }, () => step)
const REFUSED = { code: 'config', exitCode: 78 }

const replace = { type: 'Replace', pattern: { String: 'a' }, content: 'aa' }
const byRegex = { type: 'Replace', pattern: { Regex: 'a' }, content: 'aa' }
const byteLevel = { type: 'ByteLevel', use_regex: false, add_prefix_space: false }

test.each([
  ['replacing', times(40, replace)],
  ['replacing by a regular expression', times(40, byRegex)],
  ['nested sequences', times(10, { type: 'Sequence', normalizers: times(4, replace) })],
  ['the byte-level alphabet of the byte-level alphabet', [...times(40, { type: 'ByteLevel' })]],
  ['one long replacement', times(2, { ...replace, content: 'a'.repeat(100_000) })],
  ['prefixes', times(20, { type: 'Prepend', prepend: 'b'.repeat(1000) })],
])('normalizers that let a text grow: %s', (_, normalizers) => {
  const tokenizer = make({ normalizer: { type: 'Sequence', normalizers } })
  expect(() => tokenizer.encode('aé'.repeat(50))).toThrow(expect.objectContaining(REFUSED))
})

test('so do they where an added token is normalized', () => {
  const added_tokens = [{ id: 3, content: 'aa', special: false, normalized: true }]
  const normalizer = { type: 'Sequence', normalizers: times(40, replace) }
  expect(() => make({ normalizer, added_tokens })).toThrow(expect.objectContaining(REFUSED))
})

test.each([
  ['byte-level', times(40, byteLevel)],
  [
    'markers before every character',
    Array.from({ length: 20 }, (_, i) => [
      { type: 'Split', pattern: { Regex: '[a-z]' }, behavior: 'Isolated', invert: false },
      {
        type: 'Metaspace',
        replacement: String.fromCharCode(0x61 + i),
        prepend_scheme: 'always',
        split: false,
      },
    ]).flat(),
  ],
])('pre-tokenizers that let a text grow: %s', (_, pretokenizers) => {
  const tokenizer = make({ pre_tokenizer: { type: 'Sequence', pretokenizers } })
  expect(() => tokenizer.encode('é'.repeat(500))).toThrow(expect.objectContaining(REFUSED))
})

test.each([
  ['replacing', times(40, replace)],
  ['behind a fuse', [{ type: 'Fuse' }, ...times(40, replace)]],
  ['an empty marker', times(40, { type: 'Metaspace', replacement: '', prepend_scheme: 'never' })],
  ['an empty suffix', times(40, { type: 'BPEDecoder', suffix: '' })],
])('decoders that let a text grow: %s', (_, decoders) => {
  const tokenizer = make({ decoder: { type: 'Sequence', decoders } })
  const ids = Array.from({ length: 50 }, () => 0)
  expect(() => tokenizer.decode(ids)).toThrow(expect.objectContaining(REFUSED))
  if (tokenizer.pieces !== undefined)
    expect(() => tokenizer.pieces!.piece(0)).toThrow(expect.objectContaining(REFUSED))
})

/** Tokens of every length up to `longest`, none of which is in a text of the letter alone. */
const ofManyLengths = (longest: number, lead = '') =>
  Array.from({ length: longest }, (_, i) => `${lead}${'a'.repeat(i + 1)}b`)

test('added tokens of many lengths', () => {
  const added_tokens = ofManyLengths(2000).map((content, i) => ({ id: 3 + i, content, special: false }))
  const tokenizer = make({ added_tokens })
  expect(tokenizer.encode('a'.repeat(300))).toHaveLength(300)
  expect(() => tokenizer.encode('a'.repeat(3000))).toThrow(expect.objectContaining(REFUSED))
})

test('WordPiece with long words and tokens of many lengths', () => {
  const tokens = ['[UNK]', 'a', '##a', ...ofManyLengths(2000), ...ofManyLengths(2000, '##')]
  const vocab = Object.fromEntries(tokens.map((token, id) => [token, id]))
  const tokenizer = make({
    model: { type: 'WordPiece', vocab, unk_token: '[UNK]', max_input_chars_per_word: 4_000_000 },
  })
  const spent = processorTime()
  expect(tokenizer.encode('a'.repeat(300))).toHaveLength(300)
  expect(() => tokenizer.encode('a'.repeat(3000))).toThrow(expect.objectContaining(REFUSED))
  expect(spent()).toBeLessThan(10_000)
})

test('WordPiece with long words is as quick as with short ones', () => {
  const vocab = { '[UNK]': 0, a: 1, '##a': 2, '##aa': 3 }
  const tokenizer = make({
    model: { type: 'WordPiece', vocab, unk_token: '[UNK]', max_input_chars_per_word: 4_000_000 },
  })
  const spent = processorTime()
  expect(tokenizer.encode('a'.repeat(100_001))).toHaveLength(50_001)
  expect(spent()).toBeLessThan(5000)
})

test('Unigram with tokens of many lengths', () => {
  const vocab = [['<unk>', 0], ['a', -1], ...ofManyLengths(2000).map((token) => [token, -2])]
  const tokenizer = make({ model: { type: 'Unigram', vocab, unk_id: 0 } })
  expect(tokenizer.encode('a'.repeat(300))).toHaveLength(300)
  expect(() => tokenizer.encode('a'.repeat(3000))).toThrow(expect.objectContaining(REFUSED))
})

test('WordPiece takes the longest token, as trying every length would', () => {
  const word = fc.string({ unit: fc.constantFrom('a', 'b', '😀'), minLength: 1, maxLength: 6 })
  fc.assert(
    fc.property(fc.uniqueArray(word, { minLength: 1, maxLength: 12 }), word, (pieces, text) => {
      const tokens = ['[UNK]', ...pieces, ...pieces.slice(3).map((piece) => `##${piece}`)]
      const vocab = Object.fromEntries(tokens.map((token, id) => [token, id]))
      const tokenizer = make({ model: { type: 'WordPiece', vocab, unk_token: '[UNK]' } })
      expect([...tokenizer.encode(text)]).toEqual(longestFirst(text, vocab) ?? [0])
    }),
    { numRuns: 300 },
  )
})

function longestFirst(text: string, vocab: Readonly<Record<string, number>>): number[] | undefined {
  const chars = Array.from(text)
  const ids: number[] = []
  for (let start = 0; start < chars.length; ) {
    let end = chars.length
    const piece = () => (start > 0 ? '##' : '') + chars.slice(start, end).join('')
    while (end > start && !Object.hasOwn(vocab, piece())) end--
    if (end === start) return undefined
    ids.push(vocab[piece()]!)
    start = end
  }
  return ids
}

test.each([
  ['no place for the text', [{ SpecialToken: { id: 'S' } }]],
  ['two places', [{ Sequence: { id: 'A' } }, { SpecialToken: { id: 'S' } }, { Sequence: { id: 'A' } }]],
  ['the place of another text', [{ Sequence: { id: 'B' } }]],
  ['nothing', []],
])('a template of the post-processor with %s is refused', (_, single) => {
  const post_processor = {
    type: 'TemplateProcessing',
    single,
    pair: [],
    special_tokens: { S: { id: 'S', ids: [0] } },
  }
  expect(() => make({ post_processor })).toThrow(expect.objectContaining(REFUSED))
})
