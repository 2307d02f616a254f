/**
 * A tokenizer from the file that an earlier run prepared, in milliseconds; else from tokenizer.json, with a way to prepare it.
 * Of a prepared file nothing is believed: it counts only while its checksums are right and tokenizer.json is what it was made
 * of. What cannot be used is as good as not there.
 */
import { dirname, join } from 'node:path'
import { SpoutError } from '../errors.ts'
import { isOursAlone } from '../system/folder-trust.ts'
import { makeFolder } from '../system/make-folder.ts'
import { orNothing } from '../system/or-nothing.ts'
import { readRegular } from '../system/regular-file.ts'
import { writeWhole } from '../system/write-whole.ts'
import { type BpeArrays, createBpeModel } from './bpe-model.ts'
import { hashUnits, unitsOf } from './bpe-tables.ts'
import { assembleTokenizer } from './create-tokenizer.ts'
import {
  type LoadTokenizerOptions,
  loadTokenizer,
  makeTokenizer,
  noteLeftOut,
  readTokenizerJson,
} from './load-tokenizer.ts'
import {
  type Body,
  composeFile,
  layOut,
  type OpenedFile,
  openPreparedFile,
  type PreparedFacts,
} from './prepared-file.ts'
import { type Source, type Stamp, sha256Of, stampOf } from './source-file.ts'
import type { Tokenizer } from './tokenizer.ts'
import { parseTokenizerJson } from './tokenizer-json.ts'

interface LoadPreparedOptions extends LoadTokenizerOptions {
  /** Our own cache. Nothing is looked for there, or prepared, without it. */
  readonly cacheFolder?: string | undefined
}

interface LoadedTokenizer {
  readonly tokenizer: Tokenizer
  /** It came from a prepared file: nothing large was read, and little garbage is left. */
  readonly wasPrepared: boolean
  /** Prepares it for the next run, where that is still to be done: to be called when nobody waits. Never throws. */
  readonly prepare: (() => void) | undefined
}

/** A smaller tokenizer.json is read as quickly as what could be made of it, in bytes. */
const WORTHWHILE = 100_000

/** @throws SpoutError as `loadTokenizer` does. */
export async function loadPreparedTokenizer(
  folder: string,
  { note, cacheFolder }: LoadPreparedOptions = {},
): Promise<LoadedTokenizer> {
  const stamp = cacheFolder === undefined ? undefined : orNothing(() => stampOf(folder))
  const path = stamp && preparedPath(cacheFolder!, stamp)
  // What others can write is no file of ours: the checksums tell damage, not another's hand.
  if (stamp === undefined || path === undefined || !isOursAlone(dirname(path)))
    return { tokenizer: await loadTokenizer(folder, { note }), wasPrepared: false, prepare: undefined }
  const place = { folder, path, stamp, note }
  return (await loadFromFile(place)) ?? (await loadAnew(place))
}

/** Where what is prepared of a model's tokenizer lies, and what it counts for. @throws what the file system says */
export function preparedPlace(folder: string, cacheFolder: string): { path: string; stamp: Stamp } {
  const stamp = stampOf(folder)
  return { path: preparedPath(cacheFolder, stamp), stamp }
}

interface Place {
  readonly folder: string
  /** Of the prepared file. */
  readonly path: string
  /** Of tokenizer.json, from before it is read. */
  readonly stamp: Stamp
  readonly note: LoadTokenizerOptions['note']
}

function preparedPath(cacheFolder: string, { path }: Stamp): string {
  const units = unitsOf(path)
  const [first, second] = [1, 2].map((seed) => hashUnits(seed, units, { start: 0, end: units.length }) >>> 0)
  return join(cacheFolder, 'tokenizers', `${first!.toString(36)}-${second!.toString(36)}.bin`)
}

async function loadFromFile(place: Place): Promise<LoadedTokenizer | undefined> {
  let restored: BpeArrays | undefined
  const restore = (facts: PreparedFacts) => {
    restored = arraysAgain(facts, place)
    return restored
  }
  const file = orNothing(() => openPreparedFile(place.path, restore))
  const state = file === undefined ? 'stale' : await compare(file.facts.source, place)
  if (file === undefined || state === 'stale') return undefined
  const { steps, rules, shape, leftOut } = file.facts
  const tokenizer = assembleTokenizer({ steps, model: { type: 'BPE', rules, shape, tables: file.tables } })
  noteLeftOut(leftOut, place.note)
  const again = () => {
    if (restored !== undefined) store(place.path, file.facts, layOut(restored))
    else renew(file, place)
  }
  const prepare = restored !== undefined || state === 'touched' ? again : undefined
  return { tokenizer, wasPrepared: true, prepare }
}

/** `touched`: the same content with another mark, or one that was made too soon after the last change to be believed. */
async function compare(source: Source, { folder, stamp }: Place): Promise<'same' | 'touched' | 'stale'> {
  if (source.path !== stamp.path) return 'stale'
  if (source.isPastTick && source.mark === stamp.mark) return 'same'
  return (await sha256Of(await readTokenizerJson(folder))) === source.sha256 ? 'touched' : 'stale'
}

/** What a damaged file was made of. @throws SpoutError `failed` when that has changed meanwhile. */
function arraysAgain({ shape }: PreparedFacts, { folder, stamp }: Place): BpeArrays {
  const bytes = orNothing(() => readRegular(stamp.path, { most: Number.POSITIVE_INFINITY }))
  if (bytes === undefined || orNothing(() => stampOf(folder))?.mark !== stamp.mark)
    throw new SpoutError(
      'failed',
      'tokenizer: its prepared file is damaged, and tokenizer.json has changed',
      {
        hint: 'run it again',
      },
    )
  return createBpeModel(parseTokenizerJson(bytes.toString()).model, shape.seed).arrays
}

async function loadAnew({ folder, path, stamp, note }: Place): Promise<LoadedTokenizer> {
  const bytes = await readTokenizerJson(folder)
  const json = parseTokenizerJson(bytes.toString())
  const { tokenizer, bpe } = makeTokenizer(json)
  noteLeftOut(json.leftOut, note)
  if (bpe === undefined || bytes.length < WORTHWHILE)
    return { tokenizer, wasPrepared: false, prepare: undefined }
  const { steps, leftOut } = json
  const { rules, shape } = bpe.model
  const facts = { source: { ...stamp, sha256: await sha256Of(bytes) }, steps, leftOut, rules, shape }
  return { tokenizer, wasPrepared: false, prepare: makePrepare(path, facts, bpe.arrays) }
}

/** Apart from where it is used: nothing of tokenizer.json is held until then but what is written. */
function makePrepare(path: string, facts: PreparedFacts, arrays: BpeArrays): () => void {
  return () => store(path, facts, layOut(arrays))
}

/** The same content with the mark of now. */
function renew({ facts, readBody }: OpenedFile, { path, stamp }: Place): void {
  const body = orNothing(readBody)
  if (body !== undefined) store(path, { ...facts, source: { ...facts.source, ...stamp } }, body)
}

/** A cache that cannot be written is no error. */
function store(path: string, facts: PreparedFacts, body: Body): void {
  orNothing(() => {
    makeFolder(dirname(path), 0o700)
    writeWhole(path, composeFile(facts, body), { flush: false })
  })
}
