/** The model of a BPE tokenizer.json, checked and turned into tables. */
import type { BpeShape, BpeTables } from './bpe-tables.ts'
import { collectMerges, type MergeArrays } from './merge-list.ts'
import { type NumberArray, Numbers } from './numbers.ts'
import { type SymbolArrays, Symbols } from './symbols.ts'
import { invalid, type ModelJson, textField } from './tokenizer-json.ts'
import { idOf } from './vocabulary.ts'

/** How a word becomes symbols, before they are merged. */
export interface BpeRules {
  /** Stands before every character of a word but the first. */
  readonly prefix: string
  /** Stands after the last character. */
  readonly suffix: string
  /** The token of a character that is in no token. */
  readonly unknown: string | undefined
  /** Of unknown characters in a row only the first becomes the unknown token. */
  readonly fuseUnknown: boolean
  /** A character that is in no token becomes its bytes, written `<0x41>`. */
  readonly byteFallback: boolean
  /** A word that is a token becomes that token, whether merges lead to it or not. */
  readonly wholeWords: boolean
  /** No merge joins another character with a ▁ behind it: a word may be cut there without changing a thing. */
  readonly cutsAtMarker: boolean
}

export interface BpeModel {
  readonly type: 'BPE'
  readonly rules: BpeRules
  readonly shape: BpeShape
  readonly tables: BpeTables
}

/** The rows of `BpeTables` as they were made. */
export interface BpeArrays extends SymbolArrays, MergeArrays {}

/** A model and its tables in memory. */
export interface MadeBpe {
  readonly model: BpeModel
  readonly arrays: BpeArrays
}

/**
 * @param seed of the hashes: the same file and seed make the same arrays.
 * @throws SpoutError `config`, `tokenizer.json: model.<field> …`.
 */
export function createBpeModel(model: ModelJson, seed = randomSeed()): MadeBpe {
  const { raw, vocab } = model
  const prefix = textField(raw, 'model.continuing_subword_prefix', '')
  const suffix = textField(raw, 'model.end_of_word_suffix', '')
  const unknown = unknownToken(raw.unk_token, vocab)
  const symbols = new Symbols(model)
  const merges = collectMerges(raw.merges, symbols, prefix)
  const wholeWords = raw.ignore_merges === true
  const isPlain = prefix === '' && suffix === '' && !wholeWords
  // A character that is left out would let its neighbours meet.
  const separates = unknown !== undefined && !unknown.endsWith('▁')
  const rules: BpeRules = {
    prefix,
    suffix,
    unknown,
    fuseUnknown: raw.fuse_unk === true,
    byteFallback: raw.byte_fallback === true,
    wholeWords,
    cutsAtMarker: isPlain && separates && idOf(vocab, '▁') !== undefined && !merges.joinAtMarker,
  }
  const shape = { size: model.tokens.length, seed }
  const arrays = { ...symbols.finish(seed), ...merges.arrays }
  return { model: { type: 'BPE', rules, shape, tables: tablesOf<NumberArray>(arrays, Numbers.of) }, arrays }
}

/** The tables, each row made from what stands under its name. */
export function tablesOf<T>(
  rows: Readonly<Record<keyof BpeTables, T>>,
  make: (row: T, name: keyof BpeTables) => Numbers,
): BpeTables {
  const { units, starts, slots, extraIds, rows: mergeRows, pairs, into } = rows
  return {
    units: make(units, 'units'),
    starts: make(starts, 'starts'),
    slots: make(slots, 'slots'),
    extraIds: make(extraIds, 'extraIds'),
    rows: make(mergeRows, 'rows'),
    pairs: make(pairs, 'pairs'),
    into: make(into, 'into'),
  }
}

function randomSeed(): number {
  return Math.trunc(Math.random() * 2 ** 31)
}

function unknownToken(value: unknown, vocab: ModelJson['vocab']): string | undefined {
  if (value === undefined || value === null) return undefined
  if (typeof value !== 'string' || idOf(vocab, value) === undefined)
    throw invalid('model.unk_token', 'is not in the vocabulary')
  return value
}
