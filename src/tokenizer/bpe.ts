/**
 * Byte-pair encoding: a word's characters become symbols, and of all neighbouring pairs the one that was learned first is
 * merged, the leftmost first, until none is left (Sennrich, Haddow and Birch, 2016). Short words look for the best pair
 * anew each time; long ones keep a heap, so that a text nobody split costs n log n.
 */
import { toByteLevel } from './byte-level.ts'
import { createHeap } from './heap.ts'
import { invalid, type ModelJson, textField } from './tokenizer-json.ts'

/** Appends the ids of one word. */
export type EncodeWord = (word: string, ids: number[]) => void

const SHORT = 48
const CACHED_WORDS = 20_000

/** @param byteLevel words come as text and are written in the byte-level alphabet here. */
export function createBpe(model: ModelJson, byteLevel: boolean): EncodeWord {
  const { vocab, raw } = model
  const symbolsOf = createSymbols(model)
  const merger = createMerger(model)
  const cache = new Map<string, readonly number[]>()
  const whole = raw.ignore_merges === true

  function idOfSymbol(symbol: string): number {
    const id = idOf(vocab, symbol)
    if (id === undefined)
      throw invalid('model.merges', `make ${JSON.stringify(symbol)}, which is not in the vocabulary`)
    return id
  }

  function encode(word: string): readonly number[] {
    const written = byteLevel ? toByteLevel(word) : word
    const id = whole ? idOf(vocab, written) : undefined
    if (id !== undefined) return [id]
    return merger(symbolsOf(written)).map(idOfSymbol)
  }

  return (word, ids) => {
    let found = cache.get(word)
    if (found === undefined) {
      found = encode(word)
      if (word.length < SHORT && cache.size < CACHED_WORDS) cache.set(word, found)
    }
    for (const id of found) ids.push(id)
  }
}

/** Reads own properties only: `constructor` is a word too. */
export function idOf(vocab: Readonly<Record<string, number>>, token: string): number | undefined {
  const id: unknown = vocab[token]
  return typeof id === 'number' ? id : undefined
}

/** A word's first symbols: characters of the vocabulary, else their bytes, else the unknown token, else nothing. */
function createSymbols({ vocab, raw }: ModelJson): (word: string) => string[] {
  const prefix = textField(raw, 'model.continuing_subword_prefix', '')
  const suffix = textField(raw, 'model.end_of_word_suffix', '')
  const unknown = unknownToken(raw.unk_token, vocab)
  const fallback = raw.byte_fallback === true
  const fuse = raw.fuse_unk === true
  const utf8 = new TextEncoder()

  function bytesOf(symbol: string): string[] | undefined {
    if (!fallback) return undefined
    const bytes = Array.from(
      utf8.encode(symbol),
      (b) => `<0x${b.toString(16).toUpperCase().padStart(2, '0')}>`,
    )
    return bytes.every((byte) => idOf(vocab, byte) !== undefined) ? bytes : undefined
  }

  return (word) => {
    const symbols: string[] = []
    let afterUnknown = false
    const chars = Array.from(word)
    chars.forEach((char, i) => {
      const symbol = (i > 0 ? prefix : '') + char + (i === chars.length - 1 ? suffix : '')
      const known = idOf(vocab, symbol) === undefined ? bytesOf(symbol) : [symbol]
      if (known !== undefined) symbols.push(...known)
      else if (unknown !== undefined && !(afterUnknown && fuse)) symbols.push(unknown)
      afterUnknown = known === undefined && unknown !== undefined
    })
    return symbols
  }
}

function unknownToken(value: unknown, vocab: Readonly<Record<string, number>>): string | undefined {
  if (value === undefined || value === null) return undefined
  if (typeof value !== 'string' || idOf(vocab, value) === undefined)
    throw invalid('model.unk_token', 'is not in the vocabulary')
  return value
}

/** Merges the symbols of a word until no learned pair is left. */
function createMerger(model: ModelJson): (symbols: string[]) => string[] {
  const rankOf = createRanks(model)
  const cut = textField(model.raw, 'model.continuing_subword_prefix', '').length
  const joined = cut === 0 ? (a: string, b: string) => a + b : (a: string, b: string) => a + b.slice(cut)
  return (symbols) =>
    symbols.length < SHORT ? mergeShort(symbols, rankOf, joined) : mergeLong(symbols, rankOf, joined)
}

type RankOf = (left: string, right: string) => number
type Join = (left: string, right: string) => string

const NEVER = Number.POSITIVE_INFINITY

/** The place of a pair in the list of merges. Files list them as "left right", newer ones as [left, right]. */
function createRanks({ raw }: ModelJson): RankOf {
  const merges = raw.merges
  if (!Array.isArray(merges)) throw invalid('model.merges', 'is not a list')
  const ranks = new Map<string, number>()
  const separator = typeof merges[0] === 'string' ? ' ' : '\uffff'
  merges.forEach((merge: unknown, rank) => {
    const key = pairKey(merge, separator)
    if (key === undefined) throw invalid(`model.merges[${rank}]`, 'is not a pair')
    ranks.set(key, rank)
  })
  return (left, right) => ranks.get(left + separator + right) ?? NEVER
}

function pairKey(merge: unknown, separator: string): string | undefined {
  if (typeof merge === 'string') return merge.indexOf(separator) > 0 ? merge : undefined
  const [left, right] = Array.isArray(merge) ? merge : []
  return typeof left === 'string' && typeof right === 'string' ? left + separator + right : undefined
}

function mergeShort(symbols: string[], rankOf: RankOf, join: Join): string[] {
  const ranks = symbols.map((symbol, i) => (i + 1 < symbols.length ? rankOf(symbol, symbols[i + 1]!) : NEVER))
  for (;;) {
    let best = 0
    for (let i = 1; i < ranks.length; i++) if (ranks[i]! < ranks[best]!) best = i
    if (ranks.length < 2 || ranks[best] === NEVER) return symbols
    symbols[best] = join(symbols[best]!, symbols[best + 1]!)
    symbols.splice(best + 1, 1)
    ranks.splice(best + 1, 1)
    ranks[best] = best + 1 < symbols.length ? rankOf(symbols[best]!, symbols[best + 1]!) : NEVER
    if (best > 0) ranks[best - 1] = rankOf(symbols[best - 1]!, symbols[best]!)
  }
}

/** Room for the place of a pair beside its rank in one number. */
const PLACES = 2 ** 28

function mergeLong(symbols: string[], rankOf: RankOf, join: Join): string[] {
  const count = symbols.length
  const next = Int32Array.from({ length: count }, (_, i) => i + 1)
  const previous = Int32Array.from({ length: count }, (_, i) => i - 1)
  const ranks = new Float64Array(count).fill(NEVER)
  const heap = createHeap()
  const consider = (place: number) => {
    const right = next[place]!
    ranks[place] = right < count ? rankOf(symbols[place]!, symbols[right]!) : NEVER
    if (ranks[place] !== NEVER) heap.push(ranks[place]! * PLACES + place)
  }
  for (let place = 0; place < count; place++) consider(place)
  for (let key = heap.pop(); key !== undefined; key = heap.pop()) {
    const place = key % PLACES
    if (ranks[place] !== Math.floor(key / PLACES)) continue
    const right = next[place]!
    symbols[place] = join(symbols[place]!, symbols[right]!)
    ranks[right] = NEVER
    next[place] = next[right]!
    if (next[place]! < count) previous[next[place]!] = place
    consider(place)
    if (previous[place]! >= 0) consider(previous[place]!)
  }
  const merged: string[] = []
  for (let place = 0; place < count; place = next[place]!) merged.push(symbols[place]!)
  return merged
}
