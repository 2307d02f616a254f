/** Byte-pair encoding: words to ids. A word's characters become symbols, symbols are merged, and what is left are ids. */

import { quote } from '../system/text-display.ts'
import type { BpeModel } from './bpe-model.ts'
import { type Bpe, idOfSymbol, makeFindMerge, makeFindToken, textOfSymbol } from './bpe-tables.ts'
import { makeMergeSymbols } from './merge-symbols.ts'
import { invalid } from './tokenizer-json.ts'
import { WordSymbols } from './word-symbols.ts'

/** Appends the ids of one word. */
export type EncodeWord = (word: string, ids: number[]) => void

/** Longer words are not remembered. */
const SHORT = 48
const CACHED_WORDS = 20_000

/** @param byteLevel words come as text and are written in the byte-level alphabet here. */
export function createBpe({ rules, shape, tables }: BpeModel, byteLevel: boolean): EncodeWord {
  const bpe: Bpe = { ...shape, ...tables }
  const word = new WordSymbols({ rules, findToken: makeFindToken(bpe), byteLevel })
  const mergeSymbols = makeMergeSymbols(makeFindMerge(tables), tables.into)
  const cache = new Map<string, readonly number[]>()

  function encode(text: string): number[] {
    word.read(text)
    const count = mergeSymbols(word.symbols, word.count)
    const ids: number[] = []
    for (let i = 0; i < count; i++) ids.push(knownId(word.symbols[i]!))
    return ids
  }

  function knownId(symbol: number): number {
    const id = idOfSymbol(bpe, symbol)
    if (id !== undefined) return id
    const text = quote(textOfSymbol(tables, symbol))
    throw invalid('model.merges', `make ${text}, which is not in the vocabulary`)
  }

  function encodeWord(text: string, ids: number[]): void {
    let found = cache.get(text)
    if (found === undefined) {
      found = encode(text)
      if (text.length < SHORT && cache.size < CACHED_WORDS) cache.set(text, found)
    }
    for (let i = 0; i < found.length; i++) ids.push(found[i]!)
  }

  return rules.cutsAtMarker && !byteLevel ? (word, ids) => encodeCut(word, ids, encodeWord) : encodeWord
}

/** Cuts before every ▁ that stands behind another character. */
function encodeCut(word: string, ids: number[], encodeWord: EncodeWord): void {
  let start = 0
  for (let at = word.indexOf('▁', 1); at !== -1; at = word.indexOf('▁', at + 1)) {
    if (word[at - 1] === '▁') continue
    encodeWord(word.slice(start, at), ids)
    start = at
  }
  encodeWord(start === 0 ? word : word.slice(start), ids)
}
