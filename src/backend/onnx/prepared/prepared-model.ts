/**
 * A prepared model: the graph as ONNX Runtime optimized it, with its weights as the kernels want them, in a folder of
 * our cache. It says what it was made of and for which machine; where anything differs, or its manifest is not what was
 * written, it is ignored.
 *
 *   prepared/<key>/model.onnx        the optimized graph
 *                  model.onnx.data   weights, mapped by the runtime
 *                  model.onnx.matmuls   weights of our own matmuls, mapped as well
 *                  manifest.json     this file's subject
 */
import { createHash } from 'node:crypto'
import { existsSync, realpathSync, utimesSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { type OwnOperators, parseOperators } from '../../../kernels/operators.ts'
import { processorMark } from '../../../system/cpu-features.ts'
import { type FileState, sameContent } from '../../../system/file-state.ts'
import { isOursAlone } from '../../../system/folder-trust.ts'
import { readRegular } from '../../../system/regular-file.ts'
import { writeWhole } from '../../../system/write-whole.ts'
import type { FeedPlan } from '../plan/feed-plan.ts'

/** Counted up whenever what is written, or how a graph is changed before, becomes another. */
const FORMAT = 9

export const GRAPH_NAME = 'model.onnx'
export const MANIFEST_NAME = 'manifest.json'
/** Of a manifest. */
const MOST_BYTES = 16e6

/** What a prepared model is found by. */
export interface PreparedKey {
  /** The graph of the model, as a link or the file itself. */
  readonly onnxPath: string
  /** Matmuls as exact as the file says. */
  readonly precise: boolean
  readonly runtimeVersion: string
}

export interface Manifest {
  readonly format: number
  readonly runtimeVersion: string
  readonly processor: string
  readonly precise: boolean
  /** Absolute paths: the graph first, then its weights and config.json. */
  readonly sources: readonly FileState[]
  /** Absolute paths of what would count as well, and was not there. */
  readonly absent: readonly string[]
  /** Below the folder of this file. */
  readonly files: readonly FileState[]
  /** Of what there is more than a note. */
  readonly plan?: FeedPlan
  /** Operators of the graph that are our own. */
  readonly operators?: OwnOperators | undefined
  /** It was tried: to the last bit, a row is what it would be alone, and in any cut. */
  readonly exactRows?: boolean
  /** What was changed for speed, one line each. */
  readonly changes: readonly string[]
  /** Why there is nothing prepared but this note: so that it is not tried again and again. */
  readonly refused?: string
}

export interface PreparedModel {
  readonly folder: string
  readonly graphPath: string
  readonly manifest: Manifest
}

/** Where the prepared model of `key` is kept, if there is one. @throws when the graph is not there. */
export function preparedFolder(cacheFolder: string, key: PreparedKey): string {
  // One file may be the graph of several models, whose weights lie beside its links.
  const parts = [
    resolve(key.onnxPath),
    realpathSync(key.onnxPath),
    key.precise,
    key.runtimeVersion,
    processorMark(),
    FORMAT,
  ]
  const name = createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 32)
  return join(preparedRoot(cacheFolder), name)
}

/** The file that tells of the prepared model of `key`, whether there is one or not. @throws when the graph is not there. */
export function preparedManifest(cacheFolder: string, key: PreparedKey): string {
  return join(preparedFolder(cacheFolder, key), MANIFEST_NAME)
}

/** Where all that is prepared is kept. */
export function preparedRoot(cacheFolder: string): string {
  return join(cacheFolder, 'prepared')
}

/** The prepared model of `key`, or a note that it was refused: whole, of these very sources, for this machine. */
export function findPrepared(cacheFolder: string, key: PreparedKey): PreparedModel | undefined {
  try {
    const prepared = readPrepared(preparedFolder(cacheFolder, key), key)
    if (prepared !== undefined) markUsed(prepared.folder)
    return prepared
  } catch {
    return undefined // Whatever is wrong with it, the model itself is still there.
  }
}

/** When it was used last: what is not, is removed first when room is needed. */
function markUsed(folder: string): void {
  try {
    const now = new Date()
    utimesSync(folder, now, now)
  } catch {
    // A cache that only others may write.
  }
}

/** @throws when a file cannot be read. */
export function readPrepared(folder: string, key: PreparedKey): PreparedModel | undefined {
  // The runtime maps what lies there, and runs code for it.
  if (!isOursAlone(folder)) return undefined
  const manifest = readManifest(folder)
  const isOurs =
    manifest.format === FORMAT &&
    manifest.runtimeVersion === key.runtimeVersion &&
    manifest.processor === processorMark() &&
    manifest.precise === key.precise &&
    manifest.sources[0]?.path === resolve(key.onnxPath)
  if (!isOurs || !isComplete(manifest) || manifest.absent.some((path) => existsSync(path))) return undefined
  const sources = manifest.sources.map((state) => sameContent(state))
  const files = manifest.files.map((state) => sameContent(state, folder))
  if (!areAll(sources) || !areAll(files)) return undefined
  const now = { ...manifest, sources, files }
  const before = new Set([...manifest.sources, ...manifest.files])
  if (![...sources, ...files].every((state) => before.has(state))) renew(folder, now)
  return { folder, graphPath: join(folder, GRAPH_NAME), manifest: now }
}

/** @throws when it cannot be read, or as `parseManifest`. */
export function readManifest(folder: string): Manifest {
  return parseManifest(readRegular(join(folder, MANIFEST_NAME), { most: MOST_BYTES }).toString())
}

function areAll<T>(list: readonly (T | undefined)[]): list is readonly T[] {
  return !list.includes(undefined)
}

/** Times moved, the content did not: with the times of now nothing has to be hashed again. */
function renew(folder: string, manifest: Manifest): void {
  try {
    writeWhole(join(folder, MANIFEST_NAME), encodeManifest(manifest))
  } catch {
    // A cache that only others may write.
  }
}

function isComplete({ sources, files, refused }: Manifest): boolean {
  return sources.length > 0 && (files.length > 0 || refused !== undefined)
}

/** False of what no run would take any more: made by another version, or of files that are gone. */
export function isWanted({ format, sources }: Manifest): boolean {
  return format === FORMAT && sources.every(({ path }) => existsSync(path))
}

export function makeManifest(facts: Omit<Manifest, 'format' | 'processor'>): Manifest {
  return { format: FORMAT, processor: processorMark(), ...facts }
}

/** Begins with the hash of all that follows. Numbers that JSON has no word for are written as texts. */
export function encodeManifest(manifest: Manifest): string {
  const replaced = (_: string, value: unknown): unknown =>
    value === Number.POSITIVE_INFINITY ? INFINITE : value
  const rest = `${JSON.stringify(manifest, replaced).slice(1)}\n`
  return `{"sha256":"${sha256Of(rest)}",${rest}`
}

/** @throws Error when it is not, to the last bit, what `encodeManifest` wrote, or has operators there is no code for. */
export function parseManifest(text: string): Manifest {
  const [head = '', sum] = /^\{"sha256":"([0-9a-f]{64})",/.exec(text) ?? []
  const rest = text.slice(head.length)
  if (sha256Of(rest) !== sum) throw new Error('manifest: not what was written')
  const restored = (_: string, value: unknown): unknown =>
    value === INFINITE ? Number.POSITIVE_INFINITY : value
  const manifest: Manifest = JSON.parse(`{${rest}`, restored)
  const { operators } = manifest
  return operators === undefined ? manifest : { ...manifest, operators: parseOperators(operators) }
}

function sha256Of(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

const INFINITE = '<infinite>'
