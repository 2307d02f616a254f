/** A session prepared: tried in its variants, the fastest first, against the answers of the model as it is. */
import { existsSync } from 'node:fs'
import { basename, resolve } from 'node:path'
import { loadSession, type OpenedModel, openPrepared } from '../backend/onnx/load-session.ts'
import { OnnxBackend } from '../backend/onnx/onnx-backend.ts'
import { compareRows } from '../backend/onnx/prepared/compare-rows.ts'
import { type PreparedKey, preparedFolder } from '../backend/onnx/prepared/prepared-model.ts'
import { preparedLimit, prunePrepared, removeUnfinished } from '../backend/onnx/prepared/prepared-store.ts'
import { equalRows, probe } from '../backend/onnx/prepared/probe.ts'
import { proveRows } from '../backend/onnx/prepared/prove-rows.ts'
import { rearrange } from '../backend/onnx/prepared/rearrange.ts'
import {
  type ChangedGraph,
  refusePrepared,
  type WrittenModel,
  writePrepared,
} from '../backend/onnx/prepared/write-prepared.ts'
import { SpoutError } from '../errors.ts'
import { forProcessor } from '../graph-passes/for-processor.ts'
import { hasOwnOperators } from '../graph-passes/own-graph.ts'
import { type HeadLimits, quantizeHead } from '../graph-passes/quantize-head.ts'
import { CORRUPT, corruptBlob } from '../hub-cache/check-cached.ts'
import type { ModelConfig, ResolvedModel } from '../model/resolved-model.ts'
import { type Graph, readGraphFile } from '../onnx-file/graph-file.ts'
import type { Runtime, SessionOptions } from '../onnx-runtime/runtime.ts'
import { type FileState, fileState, sameContent } from '../system/file-state.ts'
import { defaultThreads } from '../system/threads.ts'
import { freeBytes } from '../system/write-whole.ts'
import type { Tokenizer } from '../tokenizer/tokenizer.ts'

/** What is prepared, of what, and where. */
export interface Work {
  readonly runtime: Runtime
  readonly model: ResolvedModel
  readonly config: ModelConfig
  readonly tokenizer: Tokenizer
  readonly cacheFolder: string
  readonly key: PreparedKey
  readonly options: {
    readonly threads?: number | undefined
    readonly signal?: AbortSignal | undefined
    readonly headLimits?: HeadLimits | undefined
  }
}

/**
 * Prepares the session of a model, or leaves a note why not. To be called while the lock of its place is held.
 * @throws SpoutError `config` for a model that does not run, `cache` when our cache cannot be written, `failed` when the
 * model changed meanwhile.
 */
export async function prepareSession(work: Work): Promise<void> {
  const { runtime, model, config, cacheFolder, key, options } = work
  const graph = readGraphFile(model.onnxPath)
  if (!graph.inputs.includes('input_ids')) {
    throw new SpoutError('config', 'models prepare: a model in two parts is used as it is')
  }
  // Before anything is read of them: what changes meanwhile is seen.
  const { sources, absent } = sourcesOf(graph, model.folder)
  const refuse = (refused: string): void => refusePrepared({ cacheFolder, key, sources, absent, refused })
  removeUnfinished(preparedFolder(cacheFolder, key))
  // All bytes were read for that, so it is found out here what no run would notice: zeros in weights, for one.
  const corrupt = corruptBlob(sources)
  if (corrupt !== undefined) return refuse(`${CORRUPT}: ${basename(corrupt)}; ${REPAIR} ${model.id}`)
  if (!makeRoom(sources, cacheFolder)) return refuse('no room for it; models prepare --again tries once more')
  const session = { threads: options.threads ?? defaultThreads(), spinning: true }
  const original = await loadSession(runtime, model.onnxPath, config, { ...session, precise: key.precise })
  const before = await probeAndClose(work, original)
  options.signal?.throwIfAborted()
  const trial = { work, session, before, sources, absent }
  // What every session changes, but said: `models show` tells it.
  const changed = forProcessor(graph, key.precise).next().value!
  try {
    // Nothing is stacked there: with another number of threads fp32 matmuls may add up in another order.
    if (key.precise) await tryOnce(trial, changed, { isSame: equalRows, mayRefuse: true })
    else await tryForSpeed(trial, changed)
  } catch (error) {
    // The model runs, so what cannot be prepared of it is no fault of its files.
    if (!(error instanceof SpoutError) || error.code !== 'config') throw error
    refuse(error.message)
  }
}

const REPAIR = 'spout models pull --repair'

/** Files beside the graph that the plan depends on, where a model has them. */
const CONFIG_FILES = ['config.json', 'genai_config.json']

function sourcesOf({ files }: Graph, folder: string): Pick<Trial, 'sources' | 'absent'> {
  const configs = CONFIG_FILES.map((name) => resolve(folder, name))
  const absent = configs.filter((path) => !existsSync(path))
  const present = configs.filter((path) => !absent.includes(path))
  return { sources: [...files, ...present].map((path) => fileState(path)), absent }
}

/** Weights as they are, and as the kernels arrange them. */
const GROWTH = 2.5
/** While they are laid out anew they are there twice. */
const WORK_SPACE = 2 * GROWTH

/** Removes what was used longest ago until there is room. */
function makeRoom(sources: readonly FileState[], cacheFolder: string): boolean {
  const bytes = sources.reduce((sum, { size }) => sum + size, 0)
  const limit = preparedLimit(cacheFolder)
  if (GROWTH * bytes > limit) return false
  prunePrepared(cacheFolder, limit - GROWTH * bytes)
  return (freeBytes(cacheFolder) ?? Number.POSITIVE_INFINITY) > WORK_SPACE * bytes
}

interface Trial {
  readonly work: Work
  readonly session: SessionOptions
  /** The answers of the model as it is. */
  readonly before: readonly Float32Array[]
  readonly sources: readonly FileState[]
  readonly absent: readonly string[]
}

/** With a head that dominates in 8 bits, if there is one and the answers stay; else with the head as it is. */
async function tryForSpeed(trial: Trial, faster: ChangedGraph): Promise<void> {
  const quantized = quantizeHead(faster.graph, trial.work.options.headLimits)
  if (quantized === faster.graph) return void (await tryChange(trial, faster))
  const withHead = { graph: quantized, changes: [...faster.changes, '8-bit head'] }
  if (await takesHead(trial, withHead)) return
  const changes = [...faster.changes, 'head as it is: 8 bits changed the answers']
  await tryChange(trial, { ...faster, changes })
}

/** Answers that are others, or none, leave nothing behind. */
async function takesHead(trial: Trial, withHead: ChangedGraph): Promise<boolean> {
  const isSame = (a: Rows, b: Rows): boolean => compareRows(a, b).ok
  for (const way of waysFor(trial, withHead.graph)) {
    if ((await tryQuietly(trial, { ...withHead, ...way }, isSame)) === undefined) return true
  }
  return false
}

type Rows = readonly Float32Array[]

/** Prepares with a change, which must not change the answers. */
async function tryChange(trial: Trial, changed: ChangedGraph): Promise<void> {
  const ways = waysFor(trial, changed.graph)
  for (const way of ways.slice(0, -1)) {
    if ((await tryQuietly(trial, { ...changed, ...way }, equalRows)) === undefined) return
  }
  await tryOnce(trial, { ...changed, ...ways.at(-1)! }, { isSame: equalRows, mayRefuse: true })
}

/** How a graph can be prepared, the fastest first, the one that changes least last. */
function waysFor({ work: { runtime } }: Trial, graph: Graph): Omit<ChangedGraph, 'graph' | 'changes'>[] {
  const least = { ownKernels: 'none' } as const
  if (runtime.noOwnKernels === undefined && hasOwnOperators(graph)) {
    return [{ ownKernels: 'stacked', isRearranged: true }, { ownKernels: 'single' }, least]
  }
  return rearrange(graph) === graph ? [least] : [{ ...least, isRearranged: true }, least]
}

/** Tries a change; leaves nothing behind when it does not do. Gives what is wrong with it, if anything. */
async function tryQuietly(
  trial: Trial,
  changed: ChangedGraph,
  isSame: (a: Rows, b: Rows) => boolean,
): Promise<string | undefined> {
  try {
    return await tryOnce(trial, changed, { isSame, mayRefuse: false })
  } catch (error) {
    // A runtime without the kernel says so of the graph.
    if (error instanceof SpoutError && error.code === 'config') return error.message
    throw error
  }
}

/** Prepares with a change, and accepts or refuses it. Gives what is wrong with it, if anything. */
async function tryOnce(
  { work, session, before, sources, absent }: Trial,
  changed: ChangedGraph,
  { isSame, mayRefuse }: { isSame: (a: Rows, b: Rows) => boolean; mayRefuse: boolean },
): Promise<string | undefined> {
  const { runtime, config, cacheFolder, key } = work
  const written = await writePrepared({
    runtime,
    cacheFolder,
    key,
    config,
    sources,
    absent,
    session,
    changed,
  })
  try {
    const open = () => openPrepared(runtime, written.prepared, session)
    const found = { exactRows: false }
    const prove = async ({ plan }: OpenedModel, { runner }: OnnxBackend): Promise<void> => {
      found.exactRows = plan.ragged !== undefined && (await proveRows(runner))
    }
    const reason = tooLarge(written, cacheFolder) ?? (await whyNot(open, work, { before, isSame, prove }))
    if (!sources.every((state) => sameContent(state))) {
      throw new SpoutError('failed', 'models prepare: the model changed meanwhile', { hint: 'try again' })
    }
    if (reason === undefined) written.accept(found)
    else if (mayRefuse) written.refuse(reason)
    return reason
  } finally {
    written.discard()
  }
}

function tooLarge({ prepared }: WrittenModel, cacheFolder: string): string | undefined {
  const bytes = prepared.manifest.files.reduce((sum, { size }) => sum + size, 0)
  return bytes > preparedLimit(cacheFolder)
    ? 'what came of it is larger than all that may be kept'
    : undefined
}

interface Trying {
  readonly before: Rows
  readonly isSame: (a: Rows, b: Rows) => boolean
  /** Finds out more of a session that gives the same answers. */
  readonly prove: (loaded: OpenedModel, backend: OnnxBackend) => Promise<void>
}

/** What is wrong with a prepared session, if anything. */
async function whyNot(
  open: () => Promise<OpenedModel>,
  work: Work,
  { before, isSame, prove }: Trying,
): Promise<string | undefined> {
  try {
    return await withBackend(work, await open(), async (loaded, backend) => {
      const after = await probe(backend, before)
      if (!isSame(before, after)) return 'the prepared graph answers otherwise than the model'
      await prove(loaded, backend)
      return undefined
    })
  } catch (error) {
    // Branches of an If, for one, get names from the optimizer that it then does not accept.
    if (!(error instanceof SpoutError) || error.code !== 'failed') throw error
    return `ONNX Runtime cannot load what it wrote: ${error.message.slice(0, 200)}`
  }
}

/** The answers of a session, which is closed: two at once would need the memory of both. */
function probeAndClose(work: Work, loaded: OpenedModel): Promise<Float32Array[]> {
  return withBackend(work, loaded, (_, backend) => probe(backend))
}

async function withBackend<T>(
  { tokenizer, config }: Work,
  loaded: OpenedModel,
  act: (loaded: OpenedModel, backend: OnnxBackend) => Promise<T>,
): Promise<T> {
  let backend: OnnxBackend | undefined
  try {
    backend = new OnnxBackend(loaded, tokenizer, config)
    return await act(loaded, backend)
  } finally {
    await (backend ?? loaded).dispose()
  }
}
