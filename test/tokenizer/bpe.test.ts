/** Byte pairs against their definition, in corners that no real vocabulary shows. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createBpe } from '../../src/tokenizer/bpe.ts'
import { createBpeModel } from '../../src/tokenizer/bpe-model.ts'
import { createTokenizer } from '../../src/tokenizer/load-tokenizer.ts'
import { parseTokenizerJson } from '../../src/tokenizer/tokenizer-json.ts'

type Vocabulary = Record<string, number>

interface Model {
  readonly vocab: Vocabulary
  readonly merges: readonly (readonly [string, string])[]
  readonly unk_token?: string | undefined
  readonly ignore_merges?: boolean
}

const parse = (model: Model) => parseTokenizerJson(JSON.stringify({ model: { type: 'BPE', ...model } }))

function encode(model: Model, text: string): number[] {
  return [...createTokenizer(parse(model)).encode(text)]
}

/**
 * Again and again: of all pairs the one learned first, the leftmost of them. Characters that are no token are the unknown one,
 * or left out.
 */
function byDefinition({ vocab, merges, unk_token }: Model, text: string): string[] {
  const ranks = new Map(merges.map(([left, right], rank) => [`${left} ${right}`, rank]))
  let symbols = [...text]
    .map((char) => (vocab[char] === undefined ? unk_token : char))
    .filter((s) => s !== undefined)
  for (;;) {
    const found = symbols.slice(1).map((right, i) => ranks.get(`${symbols[i]} ${right}`) ?? Infinity)
    const least = Math.min(...found)
    if (least === Infinity) return symbols
    const at = found.indexOf(least)
    symbols = [...symbols.slice(0, at), symbols[at]! + symbols[at + 1]!, ...symbols.slice(at + 2)]
  }
}

/** A vocabulary of some letters and what random merges of it make: their order is not the order of their lengths. */
const models = fc.array(fc.tuple(fc.nat(), fc.nat()), { minLength: 1, maxLength: 30 }).chain((pairs) => {
  const symbols = ['a', 'b', 'c', '▁']
  const merges = pairs.map(([i, j]): [string, string] => {
    const pair: [string, string] = [symbols[i % symbols.length]!, symbols[j % symbols.length]!]
    symbols.push(pair.join(''))
    return pair
  })
  const vocab = Object.fromEntries([...new Set(symbols)].map((symbol, id) => [symbol, id]))
  return fc.shuffledSubarray(merges, { minLength: merges.length }).map((list) => ({ vocab, merges: list }))
})
const texts = fc.array(fc.constantFrom('a', 'b', 'c', '▁', '?', 'aa', 'ab', '▁a', '▁▁'), {
  maxLength: 120,
  size: 'max',
})

test('any merges, in any order, with a marker anywhere', () => {
  fc.assert(
    fc.property(models, texts, (model, parts) => {
      const text = parts.join('')
      expect(encode(model, text)).toEqual(byDefinition(model, text).map((symbol) => model.vocab[symbol]))
    }),
    { numRuns: 1000 },
  )
})

test('a word is cut before a marker only where no merge and no lost character can join across', () => {
  const cutsAtMarker = (model: Model) => createBpeModel(parse(model).model).model.rules.cutsAtMarker
  const vocab = { a: 0, '▁': 1, '▁a': 2, '▁▁': 3, 'a▁': 4, '?': 5 }
  const inside = [
    ['▁', 'a'],
    ['▁', '▁'],
  ] as const
  expect(cutsAtMarker({ vocab, merges: inside, unk_token: '?' })).toBe(true)
  expect(cutsAtMarker({ vocab, merges: [...inside, ['a', '▁']], unk_token: '?' })).toBe(false)
  expect(cutsAtMarker({ vocab, merges: inside })).toBe(false)
  expect(cutsAtMarker({ vocab, merges: inside, unk_token: 'a▁' })).toBe(false)
})

describe('merges that name what is not in the vocabulary', () => {
  const model = {
    vocab: { a: 0, b: 1, c: 2, abc: 3 },
    merges: [
      ['a', 'b'],
      ['ab', 'c'],
      ['z', 'a'],
    ],
  } as const

  test('may lead through it', () => {
    expect(encode(model, 'abcabc')).toEqual([3, 3])
  })

  test('may not end there', () => {
    expect(() => encode(model, 'cab')).toThrow(
      expect.objectContaining({
        code: 'config',
        message: 'tokenizer.json: model.merges make "ab", which is not in the vocabulary',
      }),
    )
  })

  test('do not make it a token', () => {
    expect(encode(model, 'zc')).toEqual([2])
    expect(encode({ ...model, ignore_merges: true }, 'zc')).toEqual([2])
    const tokenizer = createTokenizer(parse(model))
    expect([tokenizer.tokenToId('ab'), tokenizer.idToToken(4), tokenizer.vocabSize]).toEqual([
      undefined,
      undefined,
      4,
    ])
  })
})

test('two tokens of one id are two tokens', () => {
  const model = {
    vocab: { a: 0, b: 1, c: 1, ab: 2, ac: 3 },
    merges: [
      ['a', 'b'],
      ['a', 'c'],
    ],
  } as const
  expect(encode(model, 'abacbc')).toEqual([2, 3, 1, 1])
  const tokenizer = createTokenizer(parse(model))
  expect([tokenizer.tokenToId('b'), tokenizer.tokenToId('c'), tokenizer.idToToken(1)]).toEqual([1, 1, 'c'])
})

test('an id without a token is a hole, and an empty token is none', () => {
  const tokenizer = createTokenizer(parse({ vocab: { '': 1, b: 3 }, merges: [] }))
  expect([0, 1, 2, 3, 4].map((id) => tokenizer.idToToken(id))).toEqual([
    undefined,
    '',
    undefined,
    'b',
    undefined,
  ])
  expect([tokenizer.tokenToId(''), tokenizer.tokenToId('b')]).toEqual([1, 3])
})

test('a pair that is listed twice has the later place', () => {
  const model = {
    vocab: { a: 0, b: 1, c: 2, ab: 3, bc: 4 },
    merges: [
      ['a', 'b'],
      ['b', 'c'],
      ['a', 'b'],
    ],
  } as const
  expect(encode(model, 'abc')).toEqual([0, 4])
})

test('tokens of any characters, and long ones, are found again', () => {
  const tokens = fc.uniqueArray(fc.string({ unit: 'binary', maxLength: 20 }), {
    minLength: 1,
    maxLength: 200,
  })
  fc.assert(
    fc.property(tokens, (list) => {
      const all = [...list, 'x'.repeat(10_000), '\ud800', '\udc00\ud800']
      const vocab = Object.fromEntries(all.map((token, id) => [token, id]))
      const tokenizer = createTokenizer(parse({ vocab, merges: [] }))
      for (const [token, id] of Object.entries(vocab)) {
        expect(tokenizer.tokenToId(token)).toBe(id)
        expect(tokenizer.idToToken(id)).toBe(token)
      }
    }),
    { numRuns: 20 },
  )
})

describe('a megabyte of one letter', () => {
  const merges = Array.from({ length: 6 }, (_, i): [string, string] => [
    'a'.repeat(2 ** i),
    'a'.repeat(2 ** i),
  ])
  const vocab = Object.fromEntries(
    ['a', ...merges.map((pair) => pair.join(''))].map((token, id) => [token, id]),
  )

  test('ends, and is all there', () => {
    const { model } = createBpeModel(parse({ vocab, merges }).model)
    const ids: number[] = []
    createBpe(model, false)('a'.repeat(1_000_003), ids)
    expect(ids).toHaveLength(15_625 + 2)
    expect(ids.slice(-3)).toEqual([6, 1, 0])
  })
})
