/**
 * Prepares a model, so that it starts sooner from then on: its graph optimized and its weights as the kernels want them,
 * its tokenizer as tables. What comes of it counts only if it answers as the model itself does.
 */
import { join } from 'node:path'
import { withInt8Products } from './backend/onnx/graph/accuracy-level.ts'
import { type HeadLimits, quantizeHead } from './backend/onnx/graph/quantize-head.ts'
import { type LoadedSession, loadSession, openPrepared } from './backend/onnx/load-session.ts'
import { OnnxBackend } from './backend/onnx/onnx-backend.ts'
import { compareRows } from './backend/onnx/prepared/compare-rows.ts'
import { findPrepared, type PreparedModel, preparedFolder } from './backend/onnx/prepared/prepared-model.ts'
import { preparedLimit, prunePrepared } from './backend/onnx/prepared/prepared-store.ts'
import { equalRows, probe } from './backend/onnx/prepared/probe.ts'
import { type WriteOptions, writePrepared } from './backend/onnx/prepared/write-prepared.ts'
import { openRuntime } from './backend/onnx/runtime/open-runtime.ts'
import type { Runtime, SessionOptions } from './backend/onnx/runtime/runtime.ts'
import { defaultThreads } from './backend/onnx/runtime/threads.ts'
import { SpoutError } from './errors.ts'
import { acquireLock } from './model/blob-lock.ts'
import { loadModelConfig } from './model/model-config.ts'
import type { ModelConfig, ResolvedModel } from './model/resolved-model.ts'
import { PATIENCE } from './model/retry.ts'
import { type OpenEngineOptions, resolveFor } from './open-engine.ts'
import { ownCacheFolder } from './own-cache.ts'
import { loadPreparedTokenizer } from './tokenizer/load-prepared.ts'
import type { Tokenizer } from './tokenizer/tokenizer.ts'

export interface PrepareOptions extends OpenEngineOptions {
  /** Also what is prepared already. */
  readonly again?: boolean | undefined
  /** From when on the head dominates, and is tried in 8 bits. */
  readonly headLimits?: HeadLimits | undefined
}

export interface Preparation {
  readonly model: ResolvedModel
  /** `unchanged`: it was prepared before, by this process or another. */
  readonly outcome: 'prepared' | 'unchanged' | 'refused'
  /** Why it was refused. */
  readonly reason?: string
  readonly prepared: PreparedModel
}

/** Preparing takes at most this long; whoever holds the lock longer has stalled. */
const STALE_MS = 600_000

/**
 * @throws SpoutError as `openBackend` does; `cache` when our cache cannot be written or has no room for it; `os` where the
 * runtime that prepares cannot be opened.
 */
export async function prepareModel(options: PrepareOptions = {}): Promise<Preparation> {
  const runtime = await openRuntime('c-api')
  const model = await resolveFor(options)
  options.onResolved?.(model)
  const config = loadModelConfig(model.folder, (text) => options.note?.(text, 'warning'))
  const cacheFolder = ownCacheFolder(process.env)
  const { tokenizer, prepare } = await loadPreparedTokenizer(model.folder, { cacheFolder })
  const precise = options.precise ?? false
  const key = { onnxPath: model.onnxPath, precise, runtimeVersion: await runtime.version() }
  const find = (): PreparedModel | undefined => findPrepared(cacheFolder, key)
  const lock = await acquireLock(`${preparedFolder(cacheFolder, key)}.lock`, {
    patience: { ...PATIENCE, lockStaleMs: STALE_MS },
    signal: options.signal,
    isDone: () => options.again !== true && find() !== undefined,
    onWait: () => options.note?.(`${model.id} is being prepared by another process`, 'info'),
  })
  if (lock === undefined) {
    prepare?.()
    return outcomeOf(model, find()!, 'unchanged')
  }
  try {
    const work = { runtime, model, config, tokenizer, cacheFolder, key, options }
    const preparation = await prepareSession(work)
    prepare?.()
    return preparation
  } finally {
    lock.release()
  }
}

function outcomeOf(
  model: ResolvedModel,
  prepared: PreparedModel,
  outcome: Preparation['outcome'],
): Preparation {
  const { refused } = prepared.manifest
  return refused === undefined
    ? { model, outcome, prepared }
    : { model, outcome: 'refused', reason: refused, prepared }
}

interface Work {
  readonly runtime: Runtime
  readonly model: ResolvedModel
  readonly config: ModelConfig
  readonly tokenizer: Tokenizer
  readonly cacheFolder: string
  readonly key: Parameters<typeof preparedFolder>[1]
  readonly options: PrepareOptions
}

async function prepareSession(work: Work): Promise<Preparation> {
  const { runtime, model, config, cacheFolder, key, options } = work
  const session = { threads: options.threads ?? defaultThreads(), spinning: true }
  const original = await loadSession(runtime, model.onnxPath, config, { ...session, precise: key.precise })
  const before = await probeAndClose(work, original)
  options.signal?.throwIfAborted()
  const trial = { work, session, before }
  if (key.precise) await tryChange(trial, unchanged)
  else if ((await tryHead(trial)) === 'other answers') await tryChange(trial, changedButHead)
  prunePrepared(cacheFolder, preparedLimit(cacheFolder))
  const prepared = findPrepared(cacheFolder, key)
  if (prepared === undefined) throw new SpoutError('cache', 'prepared model: it is gone already')
  return outcomeOf(model, prepared, 'prepared')
}

interface Trial {
  readonly work: Work
  readonly session: SessionOptions
  /** The answers of the model as it is. */
  readonly before: readonly Float32Array[]
}

type Change = WriteOptions['change']

const unchanged: Change = (graph) => ({ graph, changes: [] })

/** As every session does it, but said: `models show` tells it. */
const changedForSpeed: Change = (graph) => {
  const faster = withInt8Products(graph)
  return { graph: faster, changes: faster === graph ? [] : ['4-bit products in int8'] }
}

const changedButHead: Change = (graph) => {
  const { graph: faster, changes } = changedForSpeed(graph)
  return { graph: faster, changes: [...changes, 'head as it is: 8 bits changed the answers'] }
}

/** With a head that dominates in 8 bits. Answers that are others, or none, leave nothing behind. */
async function tryHead(trial: Trial): Promise<'settled' | 'other answers'> {
  let hasNewHead = false
  const change: Change = (graph) => {
    const faster = changedForSpeed(graph)
    const quantized = quantizeHead(faster.graph, trial.work.options.headLimits)
    hasNewHead = quantized !== faster.graph
    return hasNewHead ? { graph: quantized, changes: [...faster.changes, '8-bit head'] } : faster
  }
  const isSame = (a: Rows, b: Rows): boolean => (hasNewHead ? compareRows(a, b).ok : equalRows(a, b))
  try {
    const reason = await tryChange(trial, change, { isSame, mayRefuse: () => !hasNewHead })
    return reason !== undefined && hasNewHead ? 'other answers' : 'settled'
  } catch (error) {
    // A runtime without the kernel says so of the graph.
    if (hasNewHead && error instanceof SpoutError && error.code === 'config') return 'other answers'
    throw error
  }
}

type Rows = readonly Float32Array[]

/** Prepares with a change, and accepts or refuses it. Gives what is wrong with it, if anything. */
async function tryChange(
  { work, session, before }: Trial,
  change: Change,
  { isSame, mayRefuse } = { isSame: equalRows, mayRefuse: () => true },
): Promise<string | undefined> {
  const { runtime, model, config, cacheFolder, key } = work
  const configFiles = [join(model.folder, 'config.json')]
  const written = await writePrepared({ runtime, cacheFolder, key, config, configFiles, session, change })
  try {
    const open = () => openPrepared(runtime, written.prepared, session)
    const reason = await whyNot(open, work, { before, isSame })
    if (reason === undefined) written.accept()
    else if (mayRefuse()) written.refuse(reason)
    return reason
  } finally {
    written.discard()
  }
}

/** What is wrong with a prepared session, if anything. */
async function whyNot(
  open: () => Promise<LoadedSession>,
  work: Work,
  { before, isSame }: { before: Rows; isSame: (a: Rows, b: Rows) => boolean },
): Promise<string | undefined> {
  try {
    const after = await probeAndClose(work, await open(), before)
    return isSame(before, after) ? undefined : 'the prepared graph answers otherwise than the model'
  } catch (error) {
    // Branches of an If, for one, get names from the optimizer that it then does not accept.
    if (!(error instanceof SpoutError) || error.code !== 'failed') throw error
    return `ONNX Runtime cannot load what it wrote: ${error.message.slice(0, 200)}`
  }
}

/** The answers of a session, which is closed: two at once would need the memory of both. */
async function probeAndClose(
  { tokenizer, config }: Work,
  loaded: LoadedSession,
  guide?: Rows,
): Promise<Float32Array[]> {
  try {
    return await probe(new OnnxBackend(loaded, tokenizer, config), guide)
  } finally {
    await loaded.dispose()
  }
}
