/** The merges of a BPE model while they are collected. */
import { writeUnits } from './bpe-tables.ts'
import { roomFor, type SymbolTable } from './symbol-table.ts'
import { invalid } from './tokenizer-json.ts'

/** The rows of `MergeRows` as they were made. */
export interface MergeArrays {
  readonly rows: Int32Array
  readonly pairs: Int32Array
  readonly into: Int32Array
}

export interface Merges {
  readonly arrays: MergeArrays
  /** Some merge joins another character with a ▁ behind it. */
  readonly joinAtMarker: boolean
}

const MARKER = 0x2581

/**
 * Files list merges as "left right", newer ones as [left, right]. What they name beside the vocabulary becomes a symbol too.
 * @throws SpoutError `config`, `tokenizer.json: model.merges …`.
 */
export function collectMerges(
  list: unknown,
  { symbols, cut }: { readonly symbols: SymbolTable; readonly cut: number },
): Merges {
  if (!Array.isArray(list)) throw invalid('model.merges', 'is not a list')
  const merges = new MergeList(symbols, cut)
  const parts = typeof list[0] === 'string' ? partsOfText : partsOfPair
  list.forEach((merge: unknown, rank) => {
    const pair = parts(merge)
    if (pair === undefined) throw invalid(`model.merges[${rank}]`, 'is not a pair')
    merges.add(pair[0], pair[1])
  })
  return merges.finish()
}

type Parts = readonly [left: string, right: string]

/** Of a list that begins with a text. */
function partsOfText(merge: unknown): Parts | undefined {
  if (typeof merge !== 'string') return partsOfPair(merge)
  const at = merge.indexOf(' ')
  if (at <= 0 || merge.indexOf(' ', at + 1) !== -1) return undefined
  return [merge.slice(0, at), merge.slice(at + 1)]
}

function partsOfPair(merge: unknown): Parts | undefined {
  const [left, right] = Array.isArray(merge) ? merge : []
  return typeof left === 'string' && typeof right === 'string' ? [left, right] : undefined
}

class MergeList {
  readonly #symbols: SymbolTable
  /** Length of the prefix that the right part loses. */
  readonly #cut: number
  #left = new Int32Array(1 << 10)
  #right = new Int32Array(1 << 10)
  #into = new Int32Array(1 << 10)
  #count = 0
  #units = new Uint16Array(64)
  #joinAtMarker = false

  constructor(symbols: SymbolTable, cut: number) {
    this.#symbols = symbols
    this.#cut = cut
  }

  add(left: string, right: string): void {
    if (left === '' || right === '') return
    const at = left.length
    const length = at + right.length
    this.#units = roomFor(this.#units, length)
    writeUnits(right, this.#units, writeUnits(left, this.#units, 0))
    this.#joinAtMarker ||= this.#units[at] === MARKER && this.#units[at - 1] !== MARKER
    this.#makeRoom()
    this.#left[this.#count] = this.#symbolOf(0, at)
    this.#right[this.#count] = this.#symbolOf(at, length)
    if (this.#cut > 0) this.#units.copyWithin(at, at + this.#cut, length)
    this.#into[this.#count++] = this.#symbolOf(0, Math.max(at, length - this.#cut))
  }

  finish(): Merges {
    const [left, right, into] = [this.#left, this.#right, this.#into].map((a) => a.slice(0, this.#count))
    const { rows, pairs } = sortPairs({ left: left!, right: right!, symbols: this.#symbols.count })
    return { arrays: { rows, pairs, into: into! }, joinAtMarker: this.#joinAtMarker }
  }

  #symbolOf(start: number, end: number): number {
    const found = this.#symbols.find(this.#units, start, end)
    return found === -1 ? this.#symbols.add(this.#units, start, end) : found
  }

  #makeRoom(): void {
    this.#left = roomFor(this.#left, this.#count + 1)
    this.#right = roomFor(this.#right, this.#count + 1)
    this.#into = roomFor(this.#into, this.#count + 1)
  }
}

interface Pairs {
  /** By rank. */
  readonly left: Int32Array
  readonly right: Int32Array
  /** How many symbols there are. */
  readonly symbols: number
}

/** Sorts pairs by left and right symbol. One that is listed twice has the later rank. */
function sortPairs({ left, right, symbols }: Pairs): Pick<MergeArrays, 'rows' | 'pairs'> {
  const byRank = Int32Array.from(left, (_, rank) => rank)
  const order = countingSort(countingSort(byRank, right, symbols), left, symbols)
  const rows = new Int32Array(symbols + 1)
  const pairs = new Int32Array(2 * order.length)
  let count = 0
  order.forEach((rank, i) => {
    const next = order[i + 1]
    if (next !== undefined && left[next] === left[rank] && right[next] === right[rank]) return
    pairs[2 * count] = right[rank]!
    pairs[2 * count + 1] = rank
    rows[left[rank]! + 1] = ++count
  })
  for (let symbol = 0; symbol < symbols; symbol++)
    rows[symbol + 1] = Math.max(rows[symbol]!, rows[symbol + 1]!)
  return { rows, pairs: pairs.subarray(0, 2 * count) }
}

/** Sorts ranks by a key below `limit`; those of equal keys keep their order. */
function countingSort(ranks: Int32Array, keys: Int32Array, limit: number): Int32Array {
  const places = new Int32Array(limit + 1)
  for (const rank of ranks) places[keys[rank]! + 1]!++
  for (let key = 0; key < limit; key++) places[key + 1]! += places[key]!
  const sorted = new Int32Array(ranks.length)
  for (const rank of ranks) sorted[places[keys[rank]!]!++] = rank
  return sorted
}
