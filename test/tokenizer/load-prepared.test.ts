import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import fc from 'fast-check'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { generatedTexts } from '../../fixtures/make/text-cases.mjs'
import { loadPreparedTokenizer } from '../../src/tokenizer/load-prepared.ts'
import { loadTokenizer } from '../../src/tokenizer/load-tokenizer.ts'
import type { Tokenizer } from '../../src/tokenizer/tokenizer.ts'

const OWN = 'fixtures/golden/tokenizers'
const root = mkdtempSync(join(tmpdir(), 'spout-prepared-'))
afterAll(() => rmSync(root, { recursive: true }))

let folder: string
let cacheFolder: string
let count = 0
beforeEach(() => {
  folder = join(root, `model-${++count}`)
  cacheFolder = join(root, `cache-${count}`)
  mkdirSync(folder)
})

const jsonOf = (family: string) => readFileSync(`${OWN}/${family}/tokenizer.json`, 'utf8')

/** Large enough to be worth a file of its own: white space after the JSON changes nothing. */
const large = (json: string) => json.padEnd(120_000)

function write(json: string): void {
  writeFileSync(join(folder, 'tokenizer.json'), json)
}

/** What an earlier run leaves behind. */
async function prepare(json: string): Promise<void> {
  write(json)
  const first = await loadPreparedTokenizer(folder, { cacheFolder })
  expect(first.wasPrepared).toBe(false)
  first.prepare?.()
}

function preparedFile(): string {
  const names = readdirSync(join(cacheFolder, 'tokenizers'))
  expect(names).toEqual([expect.stringMatching(/^[a-z0-9-]+\.bin$/)])
  return join(cacheFolder, 'tokenizers', names[0]!)
}

const TEXTS = generatedTexts().filter((_, i) => i % 10 === 0)

/** All that a tokenizer says. */
function sayings(tokenizer: Tokenizer, texts: readonly string[] = TEXTS) {
  const ids = Array.from({ length: tokenizer.vocabSize + 2 }, (_, id) => id)
  const tokens = ids.map((id) => tokenizer.idToToken(id))
  return {
    vocabSize: tokenizer.vocabSize,
    specialTokens: tokenizer.specialTokens,
    tokens,
    ids: tokens.map((token) => tokenizer.tokenToId(token ?? 'no token')),
    special: ids.map((id) => tokenizer.isSpecial(id)),
    pieces: ids.map((id) => [tokenizer.pieces?.piece(id), tokenizer.pieces?.first(id)]),
    encoded: texts.map((text) => String(tokenizer.encode(text, { allowSpecial: true }))),
    decoded: texts.map((text) => tokenizer.decode(tokenizer.encode(text))),
  }
}

describe.each(['byte-level', 'byte-fallback', 'suffix'])('%s', (family) => {
  test('prepared says what tokenizer.json says', async () => {
    await prepare(large(jsonOf(family)))
    const second = await loadPreparedTokenizer(folder, { cacheFolder })
    expect(second.wasPrepared).toBe(true)
    expect(sayings(second.tokenizer)).toEqual(sayings(await loadTokenizer(folder)))
  })
})

test.each(['unigram', 'word-piece'])('%s is read from tokenizer.json every time', async (family) => {
  await prepare(large(jsonOf(family)))
  expect((await loadPreparedTokenizer(folder, { cacheFolder })).wasPrepared).toBe(false)
  expect(existsSync(cacheFolder)).toBe(false)
})

test('a small tokenizer.json is not worth a file', async () => {
  await prepare(jsonOf('byte-level'))
  expect(existsSync(cacheFolder)).toBe(false)
})

test('without a cache nothing is looked for and nothing written', async () => {
  await prepare(large(jsonOf('byte-level')))
  const { wasPrepared, prepare: again } = await loadPreparedTokenizer(folder)
  const before = readFileSync(preparedFile())
  again?.()
  expect(wasPrepared).toBe(false)
  expect(readFileSync(preparedFile()).equals(before)).toBe(true)
})

test('what the file asks for and is left out is noted as without preparation', async () => {
  const json = JSON.stringify({ ...JSON.parse(jsonOf('byte-level')), truncation: { max_length: 4 } })
  await prepare(large(json))
  const notes: string[] = []
  await loadPreparedTokenizer(folder, { cacheFolder, note: (line) => notes.push(line) })
  expect(notes).toEqual(['tokenizer.json asks for truncation: left out'])
})

describe('a prepared file that is not what it should be', () => {
  const text = TEXTS.slice(0, 60).join(' ')
  let expected: ReturnType<typeof sayings>
  let whole: Uint8Array
  beforeEach(async () => {
    await prepare(large(jsonOf('byte-level')))
    whole = Uint8Array.from(readFileSync(preparedFile())) // A Buffer's slice is the same memory.
    expected = sayings(await loadTokenizer(folder), [text])
  })

  /** Says the same as ever, and leaves a whole file behind. */
  async function healed(): Promise<{ readonly wasIgnored: boolean }> {
    const { tokenizer, wasPrepared, prepare: again } = await loadPreparedTokenizer(folder, { cacheFolder })
    expect(sayings(tokenizer, [text])).toEqual(expected)
    again?.()
    const next = await loadPreparedTokenizer(folder, { cacheFolder })
    expect(next.wasPrepared).toBe(true)
    expect(String(next.tokenizer.encode(text, { allowSpecial: true }))).toBe(expected.encoded[0])
    return { wasIgnored: !wasPrepared }
  }

  /** A bit of every part of the file: what is between the rows is empty. */
  test('one bit, anywhere', async () => {
    const used = Array.from(whole.keys()).filter((at) => whole[at] !== 0 && whole[at] !== 0x20)
    const anywhere = fc.oneof(fc.nat(whole.length - 1), fc.constantFrom(...used), fc.nat(2000))
    await fc.assert(
      fc.asyncProperty(anywhere, fc.nat(7), async (at, bit) => {
        const damaged = whole.slice()
        damaged[at]! ^= 1 << bit
        writeFileSync(preparedFile(), damaged)
        await healed()
      }),
      { numRuns: 50 },
    )
  })

  test('one bit of the header', async () => {
    const end = Buffer.from(whole).indexOf('"postProcessor"')
    expect(end).toBeGreaterThan(500)
    const believed: number[] = []
    for (let at = 0; at < end; at += 3) {
      const damaged = whole.slice()
      damaged[at]! ^= 1
      writeFileSync(preparedFile(), damaged)
      if ((await loadPreparedTokenizer(folder, { cacheFolder })).wasPrepared) believed.push(at)
    }
    expect(believed).toEqual([])
  })

  test('two pages in each other’s place', async () => {
    const swapped = whole.slice()
    const pages = whole.length / 4096
    swapped.set(whole.subarray(-4096), whole.length - 2 * 4096)
    swapped.set(whole.subarray(-2 * 4096, -4096), whole.length - 4096)
    expect(pages).toBeGreaterThan(4)
    writeFileSync(preparedFile(), swapped)
    await healed()
  })

  test.each([0, 1, 19, 20, 4096, -4096, -1])('cut at %i', async (end) => {
    writeFileSync(preparedFile(), whole.slice(0, end))
    expect(await healed()).toEqual({ wasIgnored: true })
  })

  test('longer than it was', async () => {
    writeFileSync(preparedFile(), Buffer.concat([whole, new Uint8Array(4096)]))
    expect(await healed()).toEqual({ wasIgnored: true })
  })

  test('of a machine with the other byte order', async () => {
    writeFileSync(preparedFile(), Buffer.from(whole).swap32())
    expect(await healed()).toEqual({ wasIgnored: true })
  })

  test('of another version', async () => {
    const other = whole.slice()
    other[4]! += 1
    writeFileSync(preparedFile(), other)
    expect(await healed()).toEqual({ wasIgnored: true })
  })

  test('damaged while it is in use', async () => {
    const { tokenizer } = await loadPreparedTokenizer(folder, { cacheFolder })
    writeFileSync(preparedFile(), whole.slice(0, 4096))
    expect(sayings(tokenizer, [text])).toEqual(expected)
  })

  test('damaged, with tokenizer.json changed meanwhile: an error says so', async () => {
    const { tokenizer } = await loadPreparedTokenizer(folder, { cacheFolder })
    writeFileSync(preparedFile(), whole.slice(0, 4096))
    write('{}')
    expect(() => tokenizer.encode('text')).toThrow(expect.objectContaining({ code: 'failed' }))
  })

  test('a folder', async () => {
    const path = preparedFile()
    rmSync(path)
    mkdirSync(path)
    const { tokenizer, prepare: again } = await loadPreparedTokenizer(folder, { cacheFolder })
    again?.()
    expect(sayings(tokenizer, [text])).toEqual(expected)
    expect(readdirSync(join(cacheFolder, 'tokenizers'))).toHaveLength(1)
  })
})

describe('a tokenizer.json that is not what it was', () => {
  const before = large(jsonOf('byte-level'))
  /** The same length, other ids. */
  const after = large(withSwappedIds(jsonOf('byte-level'), 'a', 'e'))

  test('changed, with the size and times of before', async () => {
    await prepare(before)
    const past = new Date(2020, 1, 1)
    utimesSync(join(folder, 'tokenizer.json'), past, past)
    ;(await loadPreparedTokenizer(folder, { cacheFolder })).prepare?.()
    expect(after).toHaveLength(before.length)
    expect(after).not.toBe(before)
    write(after)
    utimesSync(join(folder, 'tokenizer.json'), past, past)
    const { tokenizer, wasPrepared, prepare: again } = await loadPreparedTokenizer(folder, { cacheFolder })
    expect(wasPrepared).toBe(false)
    expect(sayings(tokenizer)).toEqual(sayings(await loadTokenizer(folder)))
    again?.()
    expect((await loadPreparedTokenizer(folder, { cacheFolder })).wasPrepared).toBe(true)
  })

  test('the same, long after; then changed, with the size and times of before', async () => {
    const path = join(folder, 'tokenizer.json')
    const past = new Date(2020, 1, 1)
    await prepare(before)
    utimesSync(path, past, past)
    await setTimeout(2600)
    ;(await loadPreparedTokenizer(folder, { cacheFolder })).prepare?.()
    expect(readFileSync(preparedFile(), 'latin1')).toContain('"isPastTick":true')
    write(after)
    utimesSync(path, past, past)
    expect((await loadPreparedTokenizer(folder, { cacheFolder })).wasPrepared).toBe(false)
  })

  test('touched only: what was prepared still counts', async () => {
    await prepare(before)
    const past = new Date(2020, 1, 1)
    utimesSync(join(folder, 'tokenizer.json'), past, past)
    expect((await loadPreparedTokenizer(folder, { cacheFolder })).wasPrepared).toBe(true)
  })

  test('not valid any more: the error of always', async () => {
    await prepare(before)
    write('{"model":{"type":"BPE","vocab":{"a":0},"merges":[7]}}')
    await expect(loadPreparedTokenizer(folder, { cacheFolder })).rejects.toMatchObject({
      code: 'config',
      message: 'tokenizer.json: model.merges[0] is not a pair',
    })
  })

  test('gone', async () => {
    await prepare(before)
    rmSync(join(folder, 'tokenizer.json'))
    await expect(loadPreparedTokenizer(folder, { cacheFolder })).rejects.toMatchObject({ code: 'not-found' })
  })
})

function withSwappedIds(json: string, first: string, second: string): string {
  const value = JSON.parse(json)
  const { vocab } = value.model
  ;[vocab[first], vocab[second]] = [vocab[second], vocab[first]]
  return JSON.stringify(value)
}

test('a cache that cannot be written is no error', async () => {
  cacheFolder = join(root, 'a file')
  writeFileSync(cacheFolder, '')
  await prepare(large(jsonOf('byte-level')))
  const { wasPrepared, tokenizer } = await loadPreparedTokenizer(folder, { cacheFolder })
  expect(wasPrepared).toBe(false)
  expect(tokenizer.decode(tokenizer.encode('as ever'))).toBe('as ever')
})
