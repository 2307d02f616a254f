/** Writes a prepared model into a folder beside its place, which it takes only when it was tried and found good. */
import { randomUUID } from 'node:crypto'
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { SpoutError } from '../../../errors.ts'
import type { ModelConfig } from '../../../model/resolved-model.ts'
import type { Graph } from '../../../onnx-file/graph.ts'
import type { Runtime, SessionOptions } from '../../../onnx-runtime/runtime.ts'
import { type FileState, fileState } from '../../../system/file-state.ts'
import { makeFolder, makeFolderBelow } from '../../../system/make-folder.ts'
import { decoderVariants, type OwnKernels } from '../open-decoder.ts'
import { type FeedPlan, makeFeedPlan } from '../plan/feed-plan.ts'
import { openFirst } from '../variants.ts'
import { alignWeights } from './align-weights.ts'
import {
  encodeManifest,
  GRAPH_NAME,
  MANIFEST_NAME,
  type Manifest,
  makeManifest,
  type PreparedKey,
  type PreparedModel,
  preparedFolder,
  readPrepared,
} from './prepared-model.ts'
import { rearrange } from './rearrange.ts'
import { storePacked } from './store-packed.ts'

interface WriteOptions {
  readonly runtime: Runtime
  readonly cacheFolder: string
  readonly key: PreparedKey
  readonly config: ModelConfig
  /** What it is made of, as it was before any of it was read. */
  readonly sources: readonly FileState[]
  /** What would count as well, and was not there. */
  readonly absent?: readonly string[]
  readonly session: SessionOptions
  readonly changed: ChangedGraph
}

/** A model's graph as it is to be optimized, and a line about each change. */
export interface ChangedGraph {
  readonly graph: Graph
  readonly ownKernels?: OwnKernels
  /** The other matmuls are stacked and taken apart. */
  readonly isRearranged?: boolean | undefined
  readonly changes: readonly string[]
}

/** A prepared model that is not in its place yet. */
export interface WrittenModel {
  readonly prepared: PreparedModel
  /** Puts it in its place, in that of an older one if there is one, with what was found out of it. @throws SpoutError `cache`. */
  accept(found: Pick<Manifest, 'exactRows'>): void
  /** Leaves a note in its place, so that it is not tried again. @throws SpoutError `cache`. */
  refuse(why: string): void
  /** Removes it, if it is not in its place. */
  discard(): void
}

/**
 * @throws SpoutError `config` for a graph that cannot be prepared, `cache` when the files cannot be written.
 */
export async function writePrepared(options: WriteOptions): Promise<WrittenModel> {
  const { cacheFolder, key } = options
  const place = preparedFolder(cacheFolder, key)
  const staging = stagingFor(place)
  const discard = (): void => removeFolder(staging)
  try {
    cacheWrite(() => makeStaging(cacheFolder, staging))
    await writeFiles(staging, options)
    const prepared = readPrepared(staging, key)
    if (prepared === undefined) throw new SpoutError('cache', 'prepared model: not what was written')
    return {
      prepared,
      accept: (found) => cacheWrite(() => acceptAs({ ...prepared.manifest, ...found }, staging, place)),
      refuse: (refused) => cacheWrite(() => leaveNote(prepared, refused, place)),
      discard,
    }
  } catch (error) {
    discard()
    throw error
  }
}

/** Leaves a note in the place of a prepared model, so that it is not tried again. @throws SpoutError `cache`. */
export function refusePrepared({ cacheFolder, key, sources, absent = [], refused }: Refusal): void {
  cacheWrite(() => {
    const place = preparedFolder(cacheFolder, key)
    const staging = stagingFor(place)
    makeStaging(cacheFolder, staging)
    const { runtimeVersion, precise } = key
    const manifest = makeManifest({
      runtimeVersion,
      precise,
      sources,
      absent,
      files: [],
      changes: [],
      refused,
    })
    writeFileSync(join(staging, MANIFEST_NAME), encodeManifest(manifest), { flush: true })
    moveTo(staging, place)
  })
}

interface Refusal {
  readonly cacheFolder: string
  readonly key: PreparedKey
  readonly sources: readonly FileState[]
  readonly absent?: readonly string[]
  readonly refused: string
}

/** Nothing of another user's is entered: what is below is written to by path, over and over. */
function makeStaging(cacheFolder: string, staging: string): void {
  makeFolder(cacheFolder, 0o700)
  makeFolderBelow(cacheFolder, dirname(staging))
  mkdirSync(staging, { mode: 0o700 })
}

function stagingFor(place: string): string {
  return `${place}.${process.pid}.${randomUUID().slice(0, 8)}`
}

async function writeFiles(folder: string, options: WriteOptions): Promise<void> {
  const { runtime, key, config, sources, absent = [], session, changed } = options
  const writeOptimizedTo = join(folder, GRAPH_NAME)
  const { graph, isRearranged, ownKernels = 'none' } = changed
  const decoder = { ...session, writeOptimizedTo, rearrange: isRearranged ? rearrange : undefined }
  const source = { graph, path: key.onnxPath, options: decoder }
  const { opened } = await openFirst(decoderVariants(runtime, source, [ownKernels]))
  const { packedTensors } = opened.session
  const { operators, rows } = opened
  let plan: FeedPlan
  try {
    plan = makeFeedPlan({ session: opened.session, graph: opened.graph, config, rows })
    if (packedTensors.length > 0) cacheWrite(() => storePacked(writeOptimizedTo, packedTensors))
  } finally {
    await opened.session.dispose()
  }
  if (!existsSync(writeOptimizedTo)) throw new SpoutError('cache', 'prepared model: the runtime wrote none')
  const manifest = cacheWrite(() => {
    alignWeights(writeOptimizedTo)
    const names = readdirSync(folder)
    for (const name of names) flush(join(folder, name))
    return makeManifest({
      runtimeVersion: key.runtimeVersion,
      precise: key.precise,
      sources,
      absent,
      files: names.map((name) => fileState(name, folder)),
      plan,
      operators,
      changes: changed.changes,
    })
  })
  cacheWrite(() => writeFileSync(join(folder, MANIFEST_NAME), encodeManifest(manifest), { flush: true }))
}

/** What cannot be removed is removed as unfinished later. */
function removeFolder(folder: string): void {
  try {
    rmSync(folder, { recursive: true, force: true })
  } catch {
    // Not there, or not ours to remove.
  }
}

/** To the disk: after a crash there is the whole file, or none. */
function flush(path: string): void {
  const file = openSync(path, 'r+')
  try {
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
}

function acceptAs(manifest: Manifest, staging: string, place: string): void {
  writeFileSync(join(staging, MANIFEST_NAME), encodeManifest(manifest), { flush: true })
  moveTo(staging, place)
}

function leaveNote({ folder, manifest }: PreparedModel, refused: string, place: string): void {
  for (const { path } of manifest.files) rmSync(join(folder, path))
  writeFileSync(join(folder, MANIFEST_NAME), encodeManifest({ ...manifest, files: [], refused }))
  moveTo(folder, place)
}

/** Who has the old one open keeps it: its files stay until they are closed. */
function moveTo(staging: string, place: string): void {
  const old = `${staging}.old`
  try {
    renameSync(place, old)
  } catch {
    // There was none.
  }
  renameSync(staging, place)
  rmSync(old, { recursive: true, force: true })
}

function cacheWrite<T>(act: () => T): T {
  try {
    return act()
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    throw new SpoutError('cache', `prepared model: cannot be written: ${code ?? cause}`, {
      hint: 'SPOUT_CACHE_DIR names another folder; --no-prepare goes without',
      cause,
    })
  }
}
