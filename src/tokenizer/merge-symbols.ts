/**
 * Byte-pair merging: of all neighbouring pairs of symbols the one that was learned first is merged, the leftmost first, until
 * none is left (Sennrich, Haddow and Birch, 2016). Short words look for the best pair anew each time; long ones keep a heap,
 * so that a text nobody split costs n log n.
 */
import type { FindMerge } from './bpe-tables.ts'
import { createHeap } from './heap.ts'
import type { Numbers } from './numbers.ts'

/** Merges the first `count` symbols where they lie. @returns how many are left. */
type MergeSymbols = (symbols: Int32Array, count: number) => number

/** Words of so many symbols keep a heap. */
const LONG = 48

const NEVER = 0x7fffffff

/** @param into what becomes of a merge, by rank. */
export function makeMergeSymbols(findMerge: FindMerge, into: Numbers): MergeSymbols {
  const ranks = new Int32Array(LONG)

  function rankOf(left: number, right: number): number {
    const rank = findMerge(left, right)
    return rank === -1 ? NEVER : rank
  }

  function mergeShort(symbols: Int32Array, count: number): number {
    for (let i = 0; i + 1 < count; i++) ranks[i] = rankOf(symbols[i]!, symbols[i + 1]!)
    for (;;) {
      let best = 0
      for (let i = 1; i + 1 < count; i++) if (ranks[i]! < ranks[best]!) best = i
      if (count < 2 || ranks[best] === NEVER) return count
      symbols[best] = into.at(ranks[best]!)
      count--
      symbols.copyWithin(best + 1, best + 2, count + 1)
      ranks.copyWithin(best + 1, best + 2, count)
      if (best + 1 < count) ranks[best] = rankOf(symbols[best]!, symbols[best + 1]!)
      if (best > 0) ranks[best - 1] = rankOf(symbols[best - 1]!, symbols[best]!)
    }
  }

  function mergeLong(symbols: Int32Array, count: number): number {
    const word = new LongWord(symbols, count)
    const heap = createHeap(count)
    const consider = (place: number) => {
      const rank = word.next[place]! < count ? rankOf(symbols[place]!, symbols[word.next[place]!]!) : NEVER
      word.ranks[place] = rank
      if (rank !== NEVER) heap.push(rank * PLACES + place)
    }
    for (let place = 0; place < count; place++) consider(place)
    for (let key = heap.pop(); key !== undefined; key = heap.pop()) {
      const place = key % PLACES
      const rank = (key - place) / PLACES
      if (word.ranks[place] !== rank) continue
      symbols[place] = into.at(rank)
      word.join(place)
      consider(place)
      if (word.previous[place]! >= 0) consider(word.previous[place]!)
    }
    return word.close()
  }

  return (symbols, count) => (count < LONG ? mergeShort(symbols, count) : mergeLong(symbols, count))
}

/** Room for the place of a pair beside its rank in one number. */
const PLACES = 2 ** 28

/** The symbols of a word as a list linked both ways. */
class LongWord {
  readonly next: Int32Array
  readonly previous: Int32Array
  /** Of the pair that begins at a place. */
  readonly ranks: Int32Array
  readonly #symbols: Int32Array

  constructor(symbols: Int32Array, count: number) {
    this.#symbols = symbols
    this.next = new Int32Array(count)
    this.previous = new Int32Array(count)
    this.ranks = new Int32Array(count)
    for (let i = 0; i < count; i++) {
      this.next[i] = i + 1
      this.previous[i] = i - 1
    }
  }

  /** Takes out the symbol after `place`. */
  join(place: number): void {
    const right = this.next[place]!
    this.ranks[right] = NEVER
    this.next[place] = this.next[right]!
    if (this.next[place]! < this.next.length) this.previous[this.next[place]!] = place
  }

  /** Moves what is left together. @returns how many symbols. */
  close(): number {
    let count = 0
    for (let place = 0; place < this.next.length; place = this.next[place]!)
      this.#symbols[count++] = this.#symbols[place]!
    return count
  }
}
