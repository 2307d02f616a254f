import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { SpoutError } from '../../src/errors.ts'
import { TokenOutputStream } from '../../src/generation/token-output-stream.ts'
import { createTokenizer, loadTokenizer } from '../../src/tokenizer/load-tokenizer.ts'
import { parseTokenizerJson } from '../../src/tokenizer/tokenizer-json.ts'
import { processorTime } from '../support/processor-time.ts'

const OWN = 'fixtures/golden/tokenizers'
const FAMILIES = ['byte-level', 'byte-fallback', 'suffix', 'unigram', 'word-piece']

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'spout-tokenizer-'))
})
afterAll(() => rm(folder, { recursive: true }))

async function loadText(text: string, note?: (message: string) => void) {
  await writeFile(join(folder, 'tokenizer.json'), text)
  return loadTokenizer(folder, { note })
}

const read = async (family: string) => JSON.parse(await readFile(`${OWN}/${family}/tokenizer.json`, 'utf8'))

describe('encoding', () => {
  test('special tokens in a text are text unless they are allowed', async () => {
    const tokenizer = await loadTokenizer(`${OWN}/byte-level`)
    const end = tokenizer.tokenToId('<|im_end|>')!
    const text = 'a<|im_end|>b'
    expect(tokenizer.encode(text)).not.toContain(end)
    expect(tokenizer.decode(tokenizer.encode(text))).toBe(text)
    expect(tokenizer.encode(text, { allowSpecial: true })).toContain(end)
  })

  test('a cut parts a special token, and only the one it lies in', async () => {
    const tokenizer = await loadTokenizer(`${OWN}/byte-level`)
    const end = tokenizer.tokenToId('<|im_end|>')!
    const encode = (cuts: number[]) => tokenizer.encode('<|im_end|><|im_end|>', { allowSpecial: true, cuts })
    expect([...encode([])]).toEqual([end, end])
    expect([...encode([10])]).toEqual([end, end])
    expect(encode([1]).at(-1)).toBe(end)
    expect(encode([1]).length).toBeGreaterThan(2)
    expect(tokenizer.decode(encode([1, 19]), { skipSpecialTokens: false })).toBe('<|im_end|><|im_end|>')
    expect(encode([1, 19])).not.toContain(end)
  })

  test('what the post-processor adds can be left out', async () => {
    const tokenizer = await loadTokenizer(`${OWN}/byte-fallback`)
    const bare = tokenizer.encode('the', { addSpecialTokens: false })
    expect([...tokenizer.encode('the')]).toEqual([
      tokenizer.tokenToId('<s>'),
      ...bare,
      tokenizer.tokenToId('</s>'),
    ])
    expect(tokenizer.encode('', { addSpecialTokens: false })).toHaveLength(0)
  })

  test.each(['\ud83d', '\ude00x', 'a\ud83d\ud83d\ude00'])('a lone surrogate is refused: %j', async (text) => {
    const tokenizer = await loadTokenizer(`${OWN}/byte-level`)
    expect(() => tokenizer.encode(text)).toThrow(expect.objectContaining({ code: 'data' }))
  })

  test('any text survives a byte-level vocabulary', async () => {
    const tokenizer = await loadTokenizer(`${OWN}/byte-level`)
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(tokenizer.decode(tokenizer.encode(text))).toBe(text)
      }),
    )
  })

  test('short and long words merge as the definition says', async () => {
    const { vocab, merges } = (await read('byte-level')).model
    const ranks = new Map<string, number>(
      merges.map((pair: string[], rank: number) => [pair.join(' '), rank]),
    )
    const tokenizer = await loadTokenizer(`${OWN}/byte-level`)
    const words = fc.array(fc.constantFrom('the', 'and', 'ing', ...'abdefghilmnorstuvw'), {
      minLength: 1,
      maxLength: 150,
      size: 'max',
    })
    fc.assert(
      fc.property(words, (parts) => {
        const symbols = mergeByDefinition([...parts.join('')], ranks)
        expect([...tokenizer.encode(parts.join(''))]).toEqual(symbols.map((symbol) => vocab[symbol]))
      }),
    )
  })
})

/** Again and again: of all pairs the one learned first, the leftmost of them. */
function mergeByDefinition(
  symbols: readonly string[],
  ranks: ReadonlyMap<string, number>,
): readonly string[] {
  const rankAt = (i: number) => ranks.get(`${symbols[i]} ${symbols[i + 1]}`) ?? Number.POSITIVE_INFINITY
  const places = symbols.slice(1).map((_, i) => i)
  const best = places.reduce((least, i) => (rankAt(i) < rankAt(least) ? i : least), 0)
  if (places.length === 0 || rankAt(best) === Number.POSITIVE_INFINITY) return symbols
  const merged = symbols
    .slice(0, best)
    .concat(`${symbols[best]}${symbols[best + 1]}`, symbols.slice(best + 2))
  return mergeByDefinition(merged, ranks)
}

test('ids and tokens', async () => {
  const tokenizer = await loadTokenizer(`${OWN}/byte-level`)
  for (let id = 0; id < tokenizer.vocabSize; id++)
    expect(tokenizer.tokenToId(tokenizer.idToToken(id)!)).toBe(id)
  expect([
    tokenizer.idToToken(tokenizer.vocabSize),
    tokenizer.tokenToId('constructor'),
    tokenizer.tokenToId('__proto__'),
  ]).toEqual([undefined, undefined, undefined])
  expect(tokenizer.specialTokens).toEqual(['<|endoftext|>', '<|im_start|>', '<|im_end|>'])
  expect(tokenizer.isSpecial(tokenizer.tokenToId('<|im_end|>')!)).toBe(true)
  expect(tokenizer.isSpecial(tokenizer.tokenToId('<word>')!)).toBe(false)
})

test('saved truncation and padding are left out, with a note', async () => {
  const json = await read('byte-level')
  const notes: string[] = []
  const truncation = { max_length: 4, strategy: 'LongestFirst', stride: 0, direction: 'Right' }
  const tokenizer = await loadText(
    JSON.stringify({ ...json, truncation, padding: { strategy: 'BatchLongest' } }),
    (m) => notes.push(m),
  )
  expect(notes).toEqual([
    'tokenizer.json asks for truncation: left out',
    'tokenizer.json asks for padding: left out',
  ])
  expect(tokenizer.encode('one two three four five six').length).toBeGreaterThan(4)
})

test('a vocabulary may hold __proto__ and nothing is polluted', async () => {
  const model =
    '{"type":"BPE","vocab":{"a":0,"__proto__":1,"constructor":2},"merges":[],"ignore_merges":true}'
  const tokenizer = await loadText(
    `{"model":${model},"added_tokens":[{"id":3,"content":"toString","special":true}]}`,
  )
  expect(['__proto__', 'constructor', 'a', 'toString'].map((t) => tokenizer.tokenToId(t))).toEqual([
    1, 2, 0, 3,
  ])
  expect([...tokenizer.encode('__proto__')]).toEqual([1])
  expect(({} as Record<string, unknown>).a).toBeUndefined()
})

test('two hundred thousand added tokens cost nothing where none begins', async () => {
  const json = await read('byte-level')
  const many = Array.from({ length: 200_000 }, (_, i) => ({
    id: 500 + i,
    content: `<extra_${i}>`,
    special: false,
    normalized: false,
  }))
  const tokenizer = createTokenizer(
    parseTokenizerJson(JSON.stringify({ ...json, added_tokens: [...json.added_tokens, ...many] })),
  )
  const spent = processorTime()
  expect(tokenizer.encode('x < y '.repeat(20_000)).length).toBeGreaterThan(0)
  expect(spent()).toBeLessThan(10_000)
  expect([...tokenizer.encode('<extra_199999>')]).toEqual([200_499])
})

describe('a file that cannot be used', () => {
  const cases: [string, string][] = [
    ['', 'the file is not JSON'],
    ['null', 'the file is not an object'],
    ['[]', 'the file is not an object'],
    ['{}', 'model is missing'],
    ['{"model":{"type":"BPE"}}', 'model.vocab is not an object'],
    ['{"model":{"type":"BPE","vocab":null}}', 'model.vocab is not an object'],
    ['{"model":{"type":"Magic","vocab":{"a":0}}}', 'model.type Magic is not supported'],
    ['{"model":{"type":"BPE","vocab":{"a":1e99},"merges":[]}}', 'model.vocab gives "a" no id'],
    ['{"model":{"type":"BPE","vocab":{"a":0.5},"merges":[]}}', 'model.vocab gives "a" no id'],
    ['{"model":{"type":"BPE","vocab":{},"merges":[]}}', 'model.vocab is empty'],
    ['{"model":{"type":"BPE","vocab":{"a":0}}}', 'model.merges is not a list'],
    ['{"model":{"type":"BPE","vocab":{"a":0},"merges":[7]}}', 'model.merges[0] is not a pair'],
    [
      '{"model":{"type":"BPE","vocab":{"a":0},"merges":[],"unk_token":"b"}}',
      'model.unk_token is not in the vocabulary',
    ],
    ['{"model":{"type":"BPE","vocab":{"a":0},"merges":[]},"added_tokens":{}}', 'added_tokens is not a list'],
    [
      '{"model":{"type":"BPE","vocab":{"a":0},"merges":[]},"added_tokens":[{"id":-1,"content":"x"}]}',
      'added_tokens[0].id is not an id',
    ],
    [
      '{"model":{"type":"BPE","vocab":{"a":0},"merges":[]},"normalizer":{"type":"What"}}',
      'normalizer.type What is not supported',
    ],
    [
      '{"model":{"type":"BPE","vocab":{"a":0},"merges":[]},"pre_tokenizer":{"type":"Split","pattern":{"Regex":"("},"behavior":"Isolated"}}',
      'pre_tokenizer.pattern cannot be read: (',
    ],
    [
      '{"model":{"type":"BPE","vocab":{"a":0},"merges":[]},"decoder":{"type":"Sequence","decoders":[null]}}',
      'decoder.decoders[0] is null',
    ],
    [
      '{"model":{"type":"BPE","vocab":{"a":0},"merges":[]},"post_processor":{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<s>"}}]}}',
      'post_processor.special_tokens has no ids of "<s>"',
    ],
  ]

  test.each(cases)('%s', async (text, message) => {
    await expect(loadText(text)).rejects.toMatchObject({
      code: 'config',
      exitCode: 78,
      message: `tokenizer.json: ${message}`,
    })
  })

  test('no file at all', async () => {
    await expect(loadTokenizer(join(folder, 'nowhere'))).rejects.toMatchObject({ code: 'not-found' })
  })

  /** Any place of the file replaced by anything, or taken out. */
  const anything = fc.oneof(
    fc.constant(undefined),
    fc.jsonValue({ maxDepth: 2 }),
    fc.constantFrom(
      { toString: 0 },
      [{ valueOf: null }],
      '__proto__',
      'toString',
      -1,
      1e99,
      0.5,
      '',
      '\ud800',
    ),
  )
  test.each(FAMILIES)('a %s file with a damaged place works or says which place', async (family) => {
    const json = await read(family)
    const places = placesOf(json)
    fc.assert(
      fc.property(fc.nat(places.length - 1), anything, (at, value) => {
        const text = JSON.stringify(replaced(json, places[at]!, value))
        try {
          const tokenizer = createTokenizer(parseTokenizerJson(text))
          const ids = tokenizer.encode('Hello, world! 😀 <|im_end|>', { allowSpecial: true })
          tokenizer.decode(ids)
          const stream = new TokenOutputStream(tokenizer)
          for (const id of ids) stream.push(id)
          stream.flush()
        } catch (error) {
          expect(error).toBeInstanceOf(SpoutError)
          expect((error as SpoutError).message).toMatch(/^tokenizer\.json: \S/)
        }
      }),
      { numRuns: 500 },
    )
  })
})

type Path = readonly (string | number)[]

/** Every place but those inside the long lists. */
function placesOf(value: unknown, path: Path = []): Path[] {
  if (typeof value !== 'object' || value === null) return [path]
  const keys = Object.keys(value)
  const inner = (keys.length > 40 ? keys.slice(0, 3) : keys).flatMap((key) =>
    placesOf((value as Record<string, unknown>)[key], [...path, key]),
  )
  return path.length === 0 ? inner : [path, ...inner]
}

function replaced(json: unknown, path: Path, value: unknown): unknown {
  const [key, ...rest] = path
  if (key === undefined) return value
  const copy = Array.isArray(json) ? [...json] : { ...(json as object) }
  const child = (json as Record<string, unknown>)[key]
  Object.assign(copy, { [key]: replaced(child, rest, value) })
  return copy
}

test('an added token of a byte-level vocabulary is its own text', async () => {
  const json = await read('byte-level')
  const id =
    1 +
    Math.max(
      ...json.added_tokens.map((token: { id: number }) => token.id),
      ...Object.values<number>(json.model.vocab),
    )
  const words = ['kuća', 'Ġnaïve', '日本', 'a b', '<plain>']
  json.added_tokens.push(
    ...words.map((content, i) => ({ id: id + i, content, special: false, normalized: false })),
  )
  const tokenizer = await loadText(JSON.stringify(json))
  for (const [i, word] of words.entries()) {
    expect(tokenizer.decode([id + i])).toBe(word)
    const stream = new TokenOutputStream(tokenizer)
    expect(stream.push(id + i) + stream.flush()).toBe(word)
    expect([...tokenizer.encode(word, { addSpecialTokens: false })]).toEqual([id + i])
  }
})
