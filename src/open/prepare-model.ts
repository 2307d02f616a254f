/**
 * Prepares a model, so that it starts sooner from then on: its graph optimized and its weights as the kernels want them,
 * its tokenizer as tables. What comes of it counts only if it answers as the model itself does.
 */

import { findPrepared, type PreparedModel, preparedFolder } from '../backend/onnx/prepared/prepared-model.ts'
import { preparedLimit, prunePrepared } from '../backend/onnx/prepared/prepared-store.ts'
import { SpoutError } from '../errors.ts'
import type { HeadLimits } from '../graph-passes/quantize-head.ts'
import { PATIENCE } from '../hub/retry.ts'
import type { ResolvedModel } from '../model/resolved-model.ts'
import { openRuntime } from '../onnx-runtime/open-runtime.ts'
import { acquireLock } from '../system/file-lock.ts'
import { spoutCacheFolder, trustedSpoutCache } from '../system/spout-cache.ts'
import { loadPreparedTokenizer } from '../tokenizer/load-prepared.ts'
import { configOf, type OpenEngineOptions, resolveFor } from './open-engine.ts'
import { prepareSession } from './prepare-session.ts'
import { prepareTokenTrie } from './token-trie.ts'
import { tryDevice } from './try-device.ts'

interface PrepareOptions extends OpenEngineOptions {
  /** Also what is prepared already. */
  readonly again?: boolean | undefined
  /** Only where no other process is at it. */
  readonly ifFree?: boolean | undefined
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

/** Whoever holds the lock says so by turns; a step between may take long. */
const TOUCH_MS = 5_000
const STALE_MS = 600_000

/**
 * @throws SpoutError as `openBackend` does; `cache` when our cache cannot be written or has no room for it; `os` where the
 * runtime that prepares cannot be opened; `try-later` with `ifFree` where another process is at it.
 */
export async function prepareModel(options: PrepareOptions = {}): Promise<Preparation> {
  const model = await resolveFor(options, options)
  options.onResolved?.(model)
  const config = configOf(model, options)
  const cacheFolder = privateCache()
  const runtime = await openRuntime('c-api')
  const precise = options.precise ?? false
  const key = { onnxPath: model.onnxPath, precise, runtimeVersion: await runtime.version() }
  const find = (): PreparedModel | undefined => findPrepared(cacheFolder, key)
  const lock = await acquireLock(`${preparedFolder(cacheFolder, key)}.lock`, {
    patience: { ...PATIENCE, lockStaleMs: STALE_MS },
    signal: options.signal,
    isDone: () => options.again !== true && find() !== undefined,
    onWait: () => options.note?.(`${model.id} is being prepared by another process`, 'info'),
    onHeld: options.ifFree ? () => leaveTo(model) : undefined,
  })
  const touching = setInterval(() => lock?.touch(), TOUCH_MS).unref()
  try {
    const { tokenizer, prepare } = await loadPreparedTokenizer(model.folder, { cacheFolder })
    prepare?.()
    prepareTokenTrie({ tokenizer, folder: model.folder, cacheFolder })
    if (lock === undefined) return outcomeOf(model, find()!, 'unchanged')
    const work = { runtime, model, config, tokenizer, cacheFolder, key, options }
    await prepareSession(work)
    if (options.device !== 'cpu') await tryDevice(work, options.again)
    prunePrepared(cacheFolder, preparedLimit(cacheFolder))
    const prepared = find()
    if (prepared === undefined) throw new SpoutError('cache', 'prepared model: it is gone already')
    return outcomeOf(model, prepared, 'prepared')
  } finally {
    clearInterval(touching)
    lock?.release()
  }
}

function leaveTo({ id }: ResolvedModel): never {
  throw new SpoutError('try-later', `${id}: another process is preparing it`, {
    hint: 'without --if-free it is waited for',
  })
}

/** @throws SpoutError `cache` where others could change what is prepared. */
function privateCache(): string {
  const folder = trustedSpoutCache(process.env)
  if (folder !== undefined) return folder
  const detail = 'others can write there, so nothing is prepared there'
  throw new SpoutError('cache', `${spoutCacheFolder(process.env)}: ${detail}`, {
    hint: 'chmod go-w, or another SPOUT_CACHE_DIR',
  })
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
