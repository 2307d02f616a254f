import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { Tokenizer } from '../../src/tokenizer/tokenizer.ts'

/** Hashes of the lines that the Rust library gave: see fixtures/make/text-golden.py. */
export interface Hashes {
  readonly sha256: string
  readonly marks: string
}

export type TextGolden = Record<
  'encode' | 'encodeSpecial' | 'decodeSkip' | 'decodeKeep' | 'randomSkip' | 'randomKeep',
  Hashes
>

export function readGolden(family: string): Record<'generated' | 'shared', TextGolden> {
  return JSON.parse(readFileSync(`fixtures/golden/text/${family}.json`, 'utf8'))
}

export interface Places {
  /** Lines that have one mark together. */
  readonly group?: number
  /** Which of the golden lines (or groups) are given; all of them, unless it says otherwise. */
  readonly places?: readonly number[] | undefined
}

/** Places of the lines (or groups) that differ from the golden ones: [] when none does, where all are given by the whole hash. */
export function differing(
  lines: readonly string[],
  golden: Hashes,
  { group = 1, places }: Places = {},
): number[] {
  const whole = createHash('sha256')
  const marks = Buffer.from(golden.marks, 'base64')
  const wrong: number[] = []
  for (let i = 0; i * group < lines.length; i++) {
    const place = places === undefined ? i : places[i]!
    const part = lines
      .slice(i * group, (i + 1) * group)
      .map((line) => `${line}\n`)
      .join('')
    whole.update(part)
    if (createHash('sha256').update(part).digest().readUInt16LE(0) !== marks.readUInt16LE(2 * place))
      wrong.push(place)
  }
  if (places === undefined && wrong.length === 0 && whole.digest('hex') !== golden.sha256) return [-1]
  return wrong
}

export const SEQUENCES = 10_000
export const GROUP = 20

/** Of the 10,000 sequences that the script draws those in `places`, by the same generator. */
export function randomSequences(
  tokenizer: Tokenizer,
  addedIds: readonly number[],
  { group = 1, places }: Places = {},
): number[][] {
  const small: number[] = []
  for (let id = 0; id < tokenizer.vocabSize; id++) {
    const token = tokenizer.idToToken(id)
    if (token !== undefined && ([...token].length === 1 || /^<0x[0-9A-F]{2}>$/.test(token))) small.push(id)
  }
  const pools = [small, addedIds.toSorted((a, b) => a - b)].map((pool) => (pool.length > 0 ? pool : [0]))
  const all = [...Array(SEQUENCES).keys()]
  const wanted = new Set(places)
  const seeds = places === undefined ? all : all.filter((seed) => wanted.has(Math.floor(seed / group)))
  return seeds.map((seed) => {
    const below = xorshift32(seed)
    return Array.from({ length: 1 + below(40) }, () => {
      const kind = below(20)
      if (kind < 9) return below(tokenizer.vocabSize)
      if (kind < 17) return pools[0]![below(pools[0]!.length)]!
      if (kind < 19) return pools[1]![below(pools[1]!.length)]!
      return tokenizer.vocabSize + below(3)
    })
  })
}

function xorshift32(seed: number): (limit: number) => number {
  let state = (Math.imul(seed, 2654435761) + 1) >>> 0 || 1
  return (limit) => {
    state ^= state << 13
    state ^= state >>> 17
    state = (state ^ (state << 5)) >>> 0
    return state % limit
  }
}
