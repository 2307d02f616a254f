import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { generatedTexts } from '../../fixtures/make/text-cases.mjs'
import { TokenOutputStream } from '../../src/generation/token-output-stream.ts'
import { loadPreparedTokenizer } from '../../src/tokenizer/load-prepared.ts'
import type { Tokenizer } from '../../src/tokenizer/tokenizer.ts'
import { differing, GROUP, randomSequences, readGolden, SEQUENCES } from './text-golden.ts'

/**
 * Texts whose ids differ, and why, by tokenizer and place in the list. U+107A5 is a compatibility form of q since Unicode 14
 * and U+0D3C a mark since Unicode 13, which the Rust library's tables do not know; and it reads `-3.7029525400446275` as
 * `-3.702952540044627`, so that two ways to cut a row of dots weigh the same here and not there.
 */
const KNOWN: Readonly<Record<string, readonly number[]>> = { suffix: [367, 1566], unigram: [1089, 1566] }

export interface TextList {
  readonly name: 'generated' | 'shared'
  readonly texts: readonly string[]
}

let generated: TextList | undefined

/** Made once in a process: the generator takes a second. */
export function generatedList(): TextList {
  generated ??= { name: 'generated', texts: generatedTexts() }
  return generated
}

/** Of so many texts one is compared, of each tokenizer another one; all with SPOUT_EVERY_TEXT=1. */
const ONE_OF = process.env.SPOUT_EVERY_TEXT === '1' ? 1 : 3

/**
 * Compares a tokenizer with what the Rust library made of the same texts and ids.
 * @param turn which of the texts: those of places that leave so much when divided
 */
export function compareWithRust(folder: string, lists: readonly TextList[], turn: number): void {
  const family = basename(folder)
  const golden = readGolden(family)
  const placesIn = (count: number): number[] | undefined =>
    ONE_OF === 1 ? undefined : [...Array(count).keys()].filter((i) => i % ONE_OF === turn % ONE_OF)
  let tokenizer: Tokenizer
  beforeAll(async () => {
    tokenizer = await loadTwice(folder)
  })

  describe.each(lists)('$name texts', ({ name, texts: all }) => {
    const expected = golden[name]
    const places = placesIn(all.length)
    const texts = places?.map((i) => all[i]!) ?? all
    const known = (name === 'generated' ? (KNOWN[family] ?? []) : []).filter(
      (place) => places?.includes(place) ?? true,
    )
    let ids: Int32Array[]
    beforeAll(() => {
      ids = texts.map((text) => tokenizer.encode(text, { allowSpecial: true }))
    })

    test('ids equal the Rust library', () => {
      expect(differing(ids.map(String), expected.encodeSpecial, { places })).toEqual(known)
      const asText = texts.map((text) => String(tokenizer.encode(text)))
      expect(differing(asText, expected.encode, { places })).toEqual(known)
    })

    test.each([true, false])(
      'texts, decoded and joined from pieces, equal the Rust library (special tokens skipped: %s)',
      (skip) => {
        const hashes = expected[skip ? 'decodeSkip' : 'decodeKeep']
        const decoded = ids.map((row) => tokenizer.decode(row, { skipSpecialTokens: skip }))
        const wrong = differing(decoded, hashes, { places })
        expect(known).toEqual(expect.arrayContaining(wrong))
        expect(ids.map((row) => streamed(tokenizer, row, skip))).toEqual(decoded)
      },
    )
  })

  describe('random ids', () => {
    const places = placesIn(SEQUENCES / GROUP)
    let sequences: number[][]
    beforeAll(() => {
      sequences = randomSequences(tokenizer, addedIds(folder), { group: GROUP, places })
    })

    test.each([true, false])(
      'decoded and joined from pieces, equal the Rust library (special tokens skipped: %s)',
      (skip) => {
        const decoded = sequences.map((row) => tokenizer.decode(row, { skipSpecialTokens: skip }))
        const hashes = golden.generated[skip ? 'randomSkip' : 'randomKeep']
        expect(differing(decoded, hashes, { group: GROUP, places })).toEqual([])
        expect(sequences.map((row) => streamed(tokenizer, row, skip))).toEqual(decoded)
      },
    )
  })
}

/** As a second run loads it: a large one from its prepared file. */
async function loadTwice(folder: string): Promise<Tokenizer> {
  const cacheFolder = await mkdtemp(join(tmpdir(), 'spout-prepared-'))
  const first = await loadPreparedTokenizer(folder, { cacheFolder })
  first.prepare?.()
  const { tokenizer } = await loadPreparedTokenizer(folder, { cacheFolder })
  // What is open can still be read; Windows keeps it until then.
  await rm(cacheFolder, { recursive: true }).catch(() => undefined)
  return tokenizer
}

function addedIds(folder: string): number[] {
  const json = JSON.parse(readFileSync(`${folder}/tokenizer.json`, 'utf8'))
  return json.added_tokens.map((token: { id: number }) => token.id)
}

/** All pieces of a stream, each of whole characters. */
function streamed(tokenizer: Tokenizer, ids: ArrayLike<number>, skipSpecialTokens: boolean): string {
  const stream = new TokenOutputStream(tokenizer, { skipSpecialTokens })
  let text = ''
  for (let i = 0; i < ids.length; i++) text += checked(stream.push(ids[i]!))
  return text + checked(stream.flush())
}

function checked(piece: string): string {
  const begins = piece.charCodeAt(0) & 0xfc00
  const ends = piece.charCodeAt(piece.length - 1) & 0xfc00
  if (begins === 0xdc00 || ends === 0xd800) throw new Error(`half a character: ${JSON.stringify(piece)}`)
  return piece
}
