/**
 * A vocabulary and its merges as rows of numbers: what an encoder needs, and nothing that must be built before it can. The
 * rows are the same whether they were made from tokenizer.json or lie in a prepared file.
 *
 * A symbol is what merging works on. Below `size` a symbol is its id; from there on come tokens whose id another token has
 * too, and what the merges name without its being in the vocabulary.
 */
import type { Numbers } from './numbers.ts'

interface SymbolRows {
  /** UTF-16 code units of all symbols, one after the other. */
  readonly units: Numbers
  /** Where a symbol's units begin, and the end of the last: symbols + 1 places. `~place` where no token has the id. */
  readonly starts: Numbers
  /** A hash table with open addressing: symbol + 1 by the hash of its units; 0 is an empty slot. */
  readonly slots: Numbers
}

interface MergeRows {
  /** Where the merges with a symbol on the left begin in `pairs`, and the end of the last. */
  readonly rows: Numbers
  /** The right symbol and the rank, by turns; ascending by the right symbol within a row. */
  readonly pairs: Numbers
  /** What becomes of the merge of each rank. */
  readonly into: Numbers
}

export interface BpeTables extends SymbolRows, MergeRows {
  /** Ids of the symbols from `size` on; -1 for one that is not in the vocabulary. */
  readonly extraIds: Numbers
}

/** What is needed to read the rows. */
export interface BpeShape {
  /** One more than the highest id. */
  readonly size: number
  /** Hashes start from this: nobody can write a file whose tokens all fall into one slot. */
  readonly seed: number
}

export type Bpe = BpeTables & BpeShape

/** @returns the symbol that has exactly these units, -1 if none. */
export type FindSymbol = (units: Uint16Array, start: number, end: number) => number

/** @returns the rank of the merge of two symbols, -1 if there is none. */
export type FindMerge = (left: number, right: number) => number

export function makeFindSymbol({ slots, starts, units, seed }: SymbolRows & { seed: number }): FindSymbol {
  const mask = slots.length - 1
  return (text, start, end) => {
    for (let slot = hashUnits(seed, text, { start, end }) & mask; ; slot = (slot + 1) & mask) {
      const symbol = slots.at(slot) - 1
      if (symbol < 0) return -1
      let at = starts.at(symbol)
      if (end - start !== placeOf(starts.at(symbol + 1)) - at) continue
      let i = start
      while (i < end && units.at(at) === text[i]) {
        i++
        at++
      }
      if (i === end) return symbol
    }
  }
}

/** Finds what is in the vocabulary: not what only merges name. */
export function makeFindToken(bpe: Bpe): FindSymbol {
  const findSymbol = makeFindSymbol(bpe)
  return (units, start, end) => {
    const symbol = findSymbol(units, start, end)
    return symbol === -1 || idOfSymbol(bpe, symbol) === undefined ? -1 : symbol
  }
}

export function makeFindMerge({ rows, pairs }: MergeRows): FindMerge {
  return (left, right) => {
    let low = rows.at(left)
    let high = rows.at(left + 1)
    while (low < high) {
      const middle = (low + high) >> 1
      const found = pairs.at(2 * middle)
      if (found === right) return pairs.at(2 * middle + 1)
      if (found < right) low = middle + 1
      else high = middle
    }
    return -1
  }
}

/** The text of a symbol; `undefined` where no token has that id. */
export function textOfSymbol({ starts, units }: SymbolRows, symbol: number): string | undefined {
  const start = starts.at(symbol)
  if (start < 0) return undefined
  const buffer = new Uint16Array(placeOf(starts.at(symbol + 1)) - start)
  for (let i = 0; i < buffer.length; i++) buffer[i] = units.at(start + i)
  return textOfUnits(buffer)
}

/** The id of a symbol; `undefined` when it is not in the vocabulary. */
export function idOfSymbol({ size, extraIds }: Bpe, symbol: number): number | undefined {
  const id = symbol < size ? symbol : extraIds.at(symbol - size)
  return id < 0 ? undefined : id
}

/** A place of `starts`, whether or not a token begins there. */
export function placeOf(start: number): number {
  return start < 0 ? ~start : start
}

/** FNV-1a over code units, mixed so that the low bits, which choose a slot, depend on all of them. */
export function hashUnits(
  seed: number,
  units: Uint16Array,
  { start, end }: { start: number; end: number },
): number {
  let hash = seed
  for (let i = start; i < end; i++) hash = Math.imul(hash ^ units[i]!, 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d)
  return hash ^ (hash >>> 13)
}

/** What `String.fromCharCode` takes in one call. */
const CHUNK = 4096

/** No view of a short array, and no spread: a view moves its units out of the heap, which takes ten times as long. */
export function textOfUnits(units: Uint16Array): string {
  if (units.length <= CHUNK) return Reflect.apply(String.fromCharCode, undefined, units)
  let text = ''
  for (let at = 0; at < units.length; at += CHUNK) text += textOfUnits(units.subarray(at, at + CHUNK))
  return text
}

/** @returns the place after the last unit. */
export function writeUnits(text: string, units: Uint16Array, at: number): number {
  for (let i = 0; i < text.length; i++) units[at + i] = text.charCodeAt(i)
  return at + text.length
}

export function unitsOf(text: string): Uint16Array {
  const units = new Uint16Array(text.length)
  writeUnits(text, units, 0)
  return units
}

/** The same array, or a larger one with the same beginning. */
export function roomFor<T extends Uint16Array | Int32Array>(array: T, length: number): T {
  if (length <= array.length) return array
  const larger = new (array.constructor as new (length: number) => T)(Math.max(length, 2 * array.length))
  larger.set(array)
  return larger
}
