import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { TokenOutputStream, type TokenOutputStreamOptions } from '../../src/generation/token-output-stream.ts'
import { loadTokenizer } from '../../src/tokenizer/load-tokenizer.ts'
import type { Tokenizer } from '../../src/tokenizer/tokenizer.ts'
import { BYTE_EOS, byteTokenizer } from '../support/byte-tokenizer.ts'

function pieces(tokenizer: Tokenizer, ids: Iterable<number>, options?: TokenOutputStreamOptions): string[] {
  const stream = new TokenOutputStream(tokenizer, options)
  return [...Array.from(ids, (id) => stream.push(id)), stream.flush()]
}

/** Bytes of well-formed text, broken text and noise. */
const bytes = fc.oneof(
  fc.string({ unit: 'binary' }).map((text) => [...new TextEncoder().encode(text)]),
  fc.array(
    fc.constantFrom(
      0x41,
      0x80,
      0xbf,
      0xc2,
      0xe0,
      0xa0,
      0x9f,
      0xed,
      0xef,
      0xbb,
      0xf0,
      0x90,
      0xf4,
      0x8f,
      0xff,
      0xc0,
    ),
  ),
)

describe('bytes', () => {
  test('a character leaves with its last byte, a malformed one with the byte that shows it', () => {
    fc.assert(
      fc.property(bytes, (ids) => {
        const decoder = new TextDecoder('utf-8', { ignoreBOM: true })
        const expected = ids.map((id) => decoder.decode(Uint8Array.of(id), { stream: true }))
        expect(pieces(byteTokenizer, ids)).toEqual([...expected, decoder.decode()])
      }),
      { numRuns: 2000 },
    )
  })

  test('an unfinished character is one U+FFFD at the end', () => {
    expect(pieces(byteTokenizer, [0x61, 0xf0, 0x9f, 0x98])).toEqual(['a', '', '', '', '\uFFFD'])
  })

  test('a byte order mark is a character like any other', () => {
    expect(pieces(byteTokenizer, [0xef, 0xbb, 0xbf, 0x61]).join('')).toBe('\uFEFFa')
  })
})

describe('special tokens', () => {
  const ids = [0xe2, BYTE_EOS, 0x82, 0xac]

  test('are skipped, and what they part is joined', () => {
    expect(pieces(byteTokenizer, ids)).toEqual(['', '', '', '€', ''])
  })

  test('are text when they are not skipped', () => {
    expect(pieces(byteTokenizer, ids, { skipSpecialTokens: false }).join('')).toBe('\uFFFD<eos>\uFFFD\uFFFD')
  })

  test('are text when they are kept', () => {
    expect(pieces(byteTokenizer, [BYTE_EOS], { keep: new Set([BYTE_EOS]) })).toEqual(['<eos>', ''])
  })
})

describe('a byte-fallback vocabulary', () => {
  let tokenizer: Tokenizer
  const id = (token: string) => tokenizer.tokenToId(token)!
  const byte = (value: number) => id(`<0x${value.toString(16).toUpperCase().padStart(2, '0')}>`)

  beforeAll(async () => {
    tokenizer = await loadTokenizer('fixtures/golden/tokenizers/byte-fallback')
  })

  test('the space before the first word goes, once', () => {
    const ids = tokenizer.encode(' and  the', { addSpecialTokens: false })
    expect(pieces(tokenizer, ids).join('')).toBe('and  the')
    expect(pieces(tokenizer, [id('▁'), id('▁'), id('a')]).join('')).toBe(' a')
  })

  test('a continuation keeps it', () => {
    expect(pieces(tokenizer, [id('▁the'), id('▁a')], { continuation: true })).toEqual([' the', ' a', ''])
  })

  test('skipped and unknown ids do not open the text', () => {
    expect(pieces(tokenizer, [id('<s>'), 999_999, id('▁the')]).join('')).toBe('the')
  })

  test('a run waits for its end, which may turn all of it into U+FFFD', () => {
    expect(pieces(tokenizer, [byte(0x0a), byte(0x0a), id('a')])).toEqual(['', '', '\n\na', ''])
    expect(pieces(tokenizer, [byte(0x0a), byte(0xe2), byte(0x82), id('a')]).join('')).toBe(
      '\uFFFD\uFFFD\uFFFDa',
    )
  })

  test('after flush and after reset a stream is as new', () => {
    const stream = new TokenOutputStream(tokenizer)
    const say = () => stream.push(id('▁the')) + stream.push(byte(0xe2))
    expect([say(), stream.flush(), say()]).toEqual(['the', '\uFFFD', 'the'])
    stream.reset()
    expect([say(), stream.flush(), stream.flush()]).toEqual(['the', '\uFFFD', ''])
  })
})

describe('a decoder that needs its neighbours', () => {
  test('pieces come from a window, and join to the whole text however long', async () => {
    const tokenizer = await loadTokenizer('fixtures/golden/tokenizers/suffix')
    expect(tokenizer.pieces).toBeUndefined()
    const ids = tokenizer.encode('the prince and the general went to the house of the emperor '.repeat(20))
    const said = pieces(tokenizer, ids)
    expect(said.join('')).toBe(tokenizer.decode(ids))
    expect(said.filter((piece) => piece === '').length).toBe(1)
  })
})

describe('a window of ids', () => {
  /** Each id is written as its distance from the last 0 before it, of `reach` at most: pieces depend on so many neighbours. */
  function farSighted(reach: number) {
    let decoded = 0
    const decode = (ids: ArrayLike<number>): string => {
      decoded += ids.length
      const all = Array.from(ids)
      return all
        .map((_, i) => {
          const back = all
            .slice(Math.max(0, i - reach + 1), i + 1)
            .reverse()
            .indexOf(0)
          return back === -1 ? '-' : String.fromCharCode(0x41 + back)
        })
        .join('')
    }
    const tokenizer = { pieces: undefined, decode, isSpecial: () => false } as Partial<Tokenizer> as Tokenizer
    return { tokenizer, decodedIds: () => decoded }
  }

  test('holds as many neighbours as a decoder may look at', () => {
    const ids = fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 1, maxLength: 200 })
    fc.assert(
      fc.property(ids, (list) => {
        const { tokenizer } = farSighted(16)
        expect(pieces(tokenizer, list).join('')).toBe(tokenizer.decode(list))
      }),
      { numRuns: 100 },
    )
  })

  test('and no more: a long text costs as much for each id as a short one', () => {
    const perId = (count: number): number => {
      const { tokenizer, decodedIds } = farSighted(16)
      pieces(
        tokenizer,
        Array.from({ length: count }, (_, i) => i % 5),
      )
      return decodedIds() / count
    }
    expect(perId(4000)).toBeLessThan(40)
    expect(perId(4000) / perId(400)).toBeLessThan(1.2)
  })
})

test('no ids, no text', () => {
  expect(pieces(byteTokenizer, [])).toEqual([''])
  expect(byteTokenizer.decode([])).toBe('')
})
