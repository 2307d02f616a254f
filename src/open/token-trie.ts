/**
 * The tokens of a model as masks of structures are made of: from the file beside its prepared tokenizer, or built anew. Of the
 * file nothing is believed: its checksum must be right, and tokenizer.json the one that it was made of.
 */
import { closeSync, fstatSync } from 'node:fs'
import { dirname } from 'node:path'
import { type SlicedVocabulary, sliceVocabulary } from '../grammar/vocabulary/slices.ts'
import { tokenBytesOf } from '../grammar/vocabulary/vocabulary.ts'
import { readVocabulary, writeVocabulary } from '../grammar/vocabulary/vocabulary-file.ts'
import { isOursAlone } from '../system/folder-trust.ts'
import { makeFolder } from '../system/make-folder.ts'
import { mapBytes } from '../system/mapped-memory.ts'
import { orNothing } from '../system/or-nothing.ts'
import { openRegular, RefusedFile, readRegular } from '../system/regular-file.ts'
import { writeWhole } from '../system/write-whole.ts'
import { preparedPlace } from '../tokenizer/load-prepared.ts'
import type { Tokenizer } from '../tokenizer/tokenizer.ts'

interface TriePlace {
  readonly tokenizer: Tokenizer
  /** Of the model. */
  readonly folder: string
  /** spout's own cache; without it nothing is looked for. */
  readonly cacheFolder: string | undefined
}

/** More than any vocabulary takes, in bytes. */
const LARGEST = 256 << 20

/** @throws SpoutError `config` where the tokens have no bytes of their own */
export function loadTokenTrie({ tokenizer, folder, cacheFolder }: TriePlace): SlicedVocabulary {
  const place = placeOf(folder, cacheFolder)
  const found = place && orNothing(() => read(place, tokenizer))
  return found ?? sliceVocabulary(tokenBytesOf(tokenizer, []))
}

/** Writes the file for the next run, unless it is there. A cache that cannot be written is no error. */
export function prepareTokenTrie({ tokenizer, folder, cacheFolder }: TriePlace): void {
  const place = placeOf(folder, cacheFolder)
  if (place === undefined || tokenizer.pieces === undefined) return
  orNothing(() => {
    if (orNothing(() => read(place, tokenizer)) !== undefined) return
    const bytes = writeVocabulary(sliceVocabulary(tokenBytesOf(tokenizer, [])), place.source)
    makeFolder(dirname(place.path), 0o700)
    writeWhole(place.path, bytes, { flush: false })
  })
}

interface Place {
  readonly path: string
  readonly source: string
}

/** `undefined` where there is no cache, or others could write to it, or the file has just changed. */
function placeOf(folder: string, cacheFolder: string | undefined): Place | undefined {
  if (cacheFolder === undefined) return undefined
  const place = orNothing(() => preparedPlace(folder, cacheFolder))
  if (place === undefined || !place.stamp.isPastTick || !isOursAlone(dirname(place.path))) return undefined
  const { path, stamp } = place
  return { path: path.replace(/\.bin$/, '-trie.bin'), source: `${stamp.path} ${stamp.mark}` }
}

function read({ path, source }: Place, tokenizer: Tokenizer): SlicedVocabulary | undefined {
  const bytes = orNothing(() => mapped(path)) ?? readRegular(path, { most: LARGEST })
  return readVocabulary(bytes, source, (text) => tokenizer.encode(text, { addSpecialTokens: false }))
}

/** The file as memory: a run looks at little of it, and what it looks at is not copied. */
function mapped(path: string): Uint8Array {
  const file = openRegular(path)
  try {
    const { size } = fstatSync(file)
    if (size > LARGEST) throw new RefusedFile(`${size} bytes is too much`)
    return mapBytes(file, size)
  } finally {
    closeSync(file)
  }
}
