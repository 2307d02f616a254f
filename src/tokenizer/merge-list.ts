/** The merges of a BPE model while they are collected. */
import type { Symbols } from './symbols.ts'
import { invalid } from './tokenizer-json.ts'

/** The rows of `MergeRows` as they were made. */
export interface MergeArrays {
  readonly rows: Int32Array
  readonly pairs: Int32Array
  readonly into: Int32Array
}

interface Merges {
  readonly arrays: MergeArrays
  /** Some merge joins another character with a ▁ behind it. */
  readonly joinAtMarker: boolean
}

/**
 * Files list merges as "left right", newer ones as [left, right]. What they name beside the vocabulary becomes a symbol too.
 * @param prefix what the right part of a pair loses.
 * @throws SpoutError `config`, `tokenizer.json: model.merges …`.
 */
export function collectMerges(list: unknown, symbols: Symbols, prefix: string): Merges {
  if (!Array.isArray(list)) throw invalid('model.merges', 'is not a list')
  const [left, right, into] = [0, 1, 2].map(() => new Int32Array(list.length)) as [Column, Column, Column]
  const parts = typeof list[0] === 'string' ? partsOfText : partsOfPair
  let joinAtMarker = false
  for (let rank = 0; rank < list.length; rank++) {
    const pair = parts(list[rank])
    if (pair === undefined) throw invalid(`model.merges[${rank}]`, 'is not a pair')
    left[rank] = symbols.of(pair[0])
    right[rank] = symbols.of(pair[1])
    into[rank] = symbols.of(pair[0] + pair[1].slice(prefix.length))
    joinAtMarker ||= pair[1].startsWith('▁') && !pair[0].endsWith('▁')
  }
  return { arrays: { ...sortPairs({ left, right, symbols: symbols.count }), into }, joinAtMarker }
}

type Column = Int32Array<ArrayBuffer>

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

interface Pairs {
  /** By rank. */
  readonly left: Int32Array
  readonly right: Int32Array
  /** How many symbols there are. */
  readonly symbols: number
}

/** Sorts pairs by left and right symbol. One that is listed twice has the later rank. */
function sortPairs({ left, right, symbols }: Pairs): Pick<MergeArrays, 'rows' | 'pairs'> {
  const order = countingSort(countingSort(undefined, right, symbols), left, symbols)
  const rows = new Int32Array(symbols + 1)
  const pairs = new Int32Array(2 * order.length)
  let count = 0
  for (let i = 0; i < order.length; i++) {
    const rank = order[i]!
    const next = order[i + 1] ?? -1
    if (next !== -1 && left[next] === left[rank] && right[next] === right[rank]) continue
    pairs[2 * count] = right[rank]!
    pairs[2 * count + 1] = rank
    rows[left[rank]! + 1] = ++count
  }
  for (let symbol = 0; symbol < symbols; symbol++)
    if (rows[symbol + 1]! < rows[symbol]!) rows[symbol + 1] = rows[symbol]!
  return { rows, pairs: pairs.subarray(0, 2 * count) }
}

/** Sorts ranks by a key below `limit`; those of equal keys keep their order, which is ascending where none is given. */
function countingSort(ranks: Int32Array | undefined, keys: Int32Array, limit: number): Int32Array {
  const places = new Int32Array(limit + 1)
  for (let rank = 0; rank < keys.length; rank++) places[keys[rank]! + 1]!++
  for (let key = 0; key < limit; key++) places[key + 1]! += places[key]!
  const sorted = new Int32Array(keys.length)
  for (let i = 0; i < keys.length; i++) {
    const rank = ranks === undefined ? i : ranks[i]!
    sorted[places[keys[rank]!]!++] = rank
  }
  return sorted
}
