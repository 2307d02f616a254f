/**
 * The composition root: finds the model, loads session and tokenizer side by side, and wires the engine that owns them.
 */
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { Backend } from '../backend/backend.ts'
import type { LoadedSession } from '../backend/onnx/load-session.ts'
import { OnnxBackend } from '../backend/onnx/onnx-backend.ts'
import type { Runs } from '../backend/runs.ts'
import { type ChatTemplate, loadChatTemplate } from '../chat-template/chat-template.ts'
import { toolFormatOf } from '../chat-template/tool-format.ts'
import type { DraftModel } from '../drafting/draft-model.ts'
import type { Engine, EngineModel } from '../engine/engine.ts'
import { createLocalEngine } from '../engine/local-engine.ts'
import { SpoutError } from '../errors.ts'
import type { Structures } from '../grammar/structures.ts'
import { CORRUPT, withRepair } from '../hub-cache/check-cached.ts'
import type { FetchIo } from '../hub-cache/fetch-io.ts'
import { type ResolveOptions, resolveModel } from '../hub-cache/resolve-model.ts'
import { GPU_ORDER, HALF_DTYPES } from '../model/dtype.ts'
import { loadModelConfig } from '../model/model-config.ts'
import type { Dtype, ModelConfig, ResolvedModel } from '../model/resolved-model.ts'
import { openRuntime } from '../onnx-runtime/open-runtime.ts'
import type { Runtime } from '../onnx-runtime/runtime.ts'
import type { PageStore } from '../prefix-cache/page-store.ts'
import { samplingDefaults } from '../sampling/generation-defaults.ts'
import { availableMemory } from '../system/available-memory.ts'
import { chooseThreads } from '../system/choose-threads.ts'
import { trustedSpoutCache } from '../system/spout-cache.ts'
import { tellOnce } from '../system/tell-once.ts'
import { tidyHeapAfter } from '../system/tidy-heap.ts'
import { loadPreparedTokenizer } from '../tokenizer/load-prepared.ts'
import type { Tokenizer } from '../tokenizer/tokenizer.ts'
import { chatStopsOf } from './chat-stops.ts'
import type { DeviceChoice } from './device-choice.ts'
import { disposableEngine, type OpenedEngine } from './disposable-engine.ts'
import { EMBEDDED_MODEL } from './embedded-model.ts'
import { loadOnDevice } from './load-on-device.ts'
import type { ModelChoice, OpenEngineOptions, OpenHow, OpenIo } from './open-options.ts'
import type { loadTokenTrie } from './token-trie.ts'

export type { OpenEngineOptions } from './open-options.ts'

/** A backend and what was read beside it. Whoever opened it disposes the backend. */
export interface OpenedBackend {
  readonly backend: Backend
  readonly model: EngineModel & { readonly runs: Runs }
  readonly config: ModelConfig
  readonly template: ChatTemplate | undefined
}

/** Loads a model and makes the engine that owns it. @throws as `openBackend` does. */
export async function openEngine(options: OpenEngineOptions = {}): Promise<OpenedEngine> {
  return disposableEngine(await finishEngine(await startModel(options), options))
}

/** The engine of a model, once its session is there. @throws as `openBackend` does. */
export async function finishEngine(started: StartedModel, options: OpenEngineOptions): Promise<Engine> {
  const { backend, model, config, template } = await finishBackend(started, options)
  const { options: defaults, notes } = samplingDefaults(config.generation)
  for (const line of notes) options.note?.(line, 'info')
  const { ids: chatStops, notes: stopNotes } = chatStopsOf(template, backend)
  for (const { text, level } of stopNotes) options.note?.(text, level)
  const note = tellOnce((text) => options.note?.(text, 'warning'))
  // Found when all bytes were read to prepare them; the run itself would answer with what is left of the weights.
  const damage = model.runs.refused.find(({ why }) => why.startsWith(CORRUPT))
  if (damage !== undefined) note(damage.why)
  const { promptCache, keptBytes, stepMs } = options
  const kvBytes = backend.runner?.pool.isPaged ? KV_SHARE * availableMemory() : undefined
  const openPages = options.promptFiles ? pagesOnDisk(backend, started, options) : undefined
  const drafting =
    options.draftModel === undefined ? undefined : await draftModelFor({ model, backend }, options)
  return createLocalEngine({
    ...(drafting && { draftModel: drafting }),
    ...{
      model,
      backend,
      defaults,
      template,
      chatStops,
      note,
      kvBytes,
      keptBytes,
      promptCache,
      stepMs,
      openPages,
    },
    structures: started.structures,
  })
}

/** Its code is loaded for those who name one. Nothing stays open where it fails. */
async function draftModelFor(
  target: Pick<OpenedBackend, 'model' | 'backend'>,
  options: OpenEngineOptions,
): Promise<DraftModel | undefined> {
  try {
    const { openDraftModel } = await import('./open-draft-model.ts')
    return await openDraftModel(target, options, openBackend)
  } catch (error) {
    await target.backend.dispose()
    throw error
  }
}

/** What opens the pages on disk of a model, where they have the same bits whoever computes them. */
function pagesOnDisk(
  { runner }: Backend,
  { resolved: { id, dtype, onnxPath } }: StartedModel,
  { note }: OpenEngineOptions,
): (() => Promise<PageStore | undefined>) | undefined {
  const why =
    runner?.pool.isPaged !== true
      ? 'the states of this model are not kept in pages'
      : !runner.numerics.exactRows && 'rows of a run of this model depend on the rows beside them'
  if (runner === undefined || why) {
    note?.(`prompt cache: none on disk: ${why}`, 'info')
    return undefined
  }
  return async () => {
    const cacheFolder = trustedSpoutCache(process.env)
    if (cacheFolder === undefined) return undefined
    const { PageStore } = await import('../prefix-cache/page-store.ts')
    const about = { model: id, dtype, graph: resolve(onnxPath) }
    const { fingerprint } = runner.numerics
    const { pageBytes } = runner.pool
    return new PageStore({ cacheFolder, about, fingerprint, pageBytes })
  }
}

/** Of the memory that is there once the model is loaded, how much keys and values may take. */
const KV_SHARE = 0.75

/**
 * Loads a model. The session loads on a thread of the pool while this one reads the tokenizer.
 * @throws SpoutError with the code of what went wrong; nothing stays open.
 */
export async function openBackend(options: OpenEngineOptions = {}): Promise<OpenedBackend> {
  return finishBackend(await startModel(options), options)
}

/** A model whose texts are read, and whose session loads. */
export interface StartedModel {
  readonly resolved: ResolvedModel
  readonly config: ModelConfig
  readonly runtime: Runtime
  readonly threads: number
  readonly loading: Promise<LoadedSession>
  readonly tokenizer: Tokenizer
  readonly tokenizerMayPrepare: boolean
  /** What is known of structures: nothing, until one is asked for. */
  readonly structures: () => Promise<Structures>
  readonly template: ChatTemplate | undefined
}

/** Finds a model and begins to load it. @throws as `openBackend` does. */
export async function startModel(options: OpenEngineOptions): Promise<StartedModel> {
  const threads = chooseThreads(options)
  // First, for the library's own start goes on while the model is looked for.
  const runtime = await openRuntime(options.runtime ?? 'auto', (text) => options.note?.(text, 'info'))
  const resolved = await resolveFor(options, options)
  options.onResolved?.(resolved)
  return startResolved(resolved, { ...options, runtime, threads }, options)
}

interface LoadHow extends Omit<OpenHow, 'runtime'> {
  readonly runtime: Runtime
  readonly threads: number
  readonly device?: DeviceChoice | undefined
}

/** Begins to load the session of a model whose files are here, and reads its texts meanwhile. */
async function startResolved(resolved: ResolvedModel, how: LoadHow, io: OpenIo): Promise<StartedModel> {
  const { runtime, threads, precise = false, prepare: usePrepared = true } = how
  const { note } = io
  const config = configOf(resolved, io)
  const cacheFolder = trustedSpoutCache(process.env, note)
  const session = { threads, spinning: true, cacheFolder, usePrepared, precise }
  const { onnxPath } = resolved
  const loading = loadOnDevice({
    runtime,
    onnxPath,
    config,
    device: how.device ?? 'auto',
    options: session,
    note,
  })
  // Nobody listens while the tokenizer is read; a failure is met by whoever waits for it.
  loading.catch(() => undefined)
  try {
    // If the library has come up meanwhile, its session starts now and not after the tokenizer.
    await new Promise(setImmediate)
    const { tokenizer, wasPrepared, prepare } = await loadPreparedTokenizer(resolved.folder, {
      note: (text) => note?.(text, 'info'),
      cacheFolder: usePrepared ? cacheFolder : undefined,
    })
    const template = await loadChatTemplate(resolved.folder, { file: how.chatTemplateFile })
    if (template === undefined) noteNoTemplate(resolved.folder, { note, wantsChat: how.wantsChat })
    if (!wasPrepared) tidyHeapAfter(tokenizer.vocabSize) // The session is still loading: the thread has time.
    const tokenizerMayPrepare = prepare !== undefined
    const trieCache = usePrepared ? cacheFolder : undefined
    const trie = { tokenizer, folder: resolved.folder, cacheFolder: trieCache }
    let later: Promise<Structures> | undefined
    const structures = (): Promise<Structures> => {
      later ??= loadStructures(trie)
      return later
    }
    return {
      ...{ resolved, config, runtime, threads, loading, tokenizer, tokenizerMayPrepare, template },
      structures,
    }
  } catch (error) {
    disposeLater(loading)
    throw withRepair(loadError(error), resolved)
  }
}

/** For requests with a structure only, so its code is loaded for them only. */
async function loadStructures(trie: Parameters<typeof loadTokenTrie>[0]): Promise<Structures> {
  const [{ Structures }, room] = await Promise.all([
    import('../grammar/structures.ts'),
    import('./token-trie.ts'),
  ])
  return new Structures(() => room.loadTokenTrie(trie))
}

/** What the model's own files say of it. @throws SpoutError `config`, with what to type where the cache has it. */
export function configOf(model: ResolvedModel, { note }: Pick<OpenEngineOptions, 'note'>): ModelConfig {
  try {
    return loadModelConfig(model.folder, (text) => note?.(text, 'warning'))
  } catch (error) {
    throw withRepair(error, model)
  }
}

async function finishBackend(started: StartedModel, options: OpenEngineOptions): Promise<OpenedBackend> {
  const { resolved, config, runtime, threads, loading, tokenizer, tokenizerMayPrepare, template } = started
  try {
    const loaded = await loading
    const backend = new OnnxBackend(loaded, tokenizer, config, options.contextLength)
    const isOnCpu = loaded.runs.device === 'cpu'
    for (const line of isOnCpu ? loaded.plan.warnings : []) options.note?.(line, 'warning')
    if ((options.contextLength ?? 0) > backend.contextLength) {
      options.note?.(
        `a context of ${options.contextLength} tokens: the model has ${backend.contextLength}`,
        'warning',
      )
    }
    const { id, revision, dtype } = resolved
    const { runs } = loaded
    options.trace?.('loaded', { model: id, dtype, runtime: runtime.name, threads, runs })
    const { contextLength, vocabSize } = backend
    const hasChatTemplate = template !== undefined
    const toolFormat = template && toolFormatOf(template.source)
    const mayPrepare = loaded.mayPrepare || tokenizerMayPrepare
    const model = {
      id,
      revision,
      dtype,
      runtime: runs.runtime,
      runs,
      contextLength,
      vocabSize,
      hasChatTemplate,
      toolFormat,
      mayPrepare,
    }
    return { backend, model, config, template }
  } catch (error) {
    disposeLater(loading)
    throw withRepair(loadError(error), resolved)
  }
}

/** A folder without the file that nearly every chat model has its template in may have been fetched in part. */
export function noteNoTemplate(
  folder: string,
  { note, wantsChat }: Pick<OpenEngineOptions, 'note' | 'wantsChat'>,
): void {
  if (existsSync(join(folder, 'tokenizer_config.json'))) return
  const text = 'tokenizer_config.json is not there, and no chat template: the text is continued as it is'
  note?.(`${text} (spout models pull fetches what is missing)`, wantsChat ? 'warning' : 'info')
}

/** The session may still be loading: it is closed when it arrives. */
function disposeLater(loading: Promise<LoadedSession>): void {
  loading.then((loaded) => loaded.dispose()).catch(() => undefined)
}

/** The files of a model, fetched first where need be. @throws SpoutError as `resolveModel` does. */
export async function resolveFor(choice: ModelChoice, io: FetchIo): Promise<ResolvedModel> {
  const isForGpu = choice.device === 'gpu' && (choice.dtype ?? 'auto') === 'auto'
  const dtype = isForGpu ? await dtypesForGpu() : choice.dtype
  return resolveModel(resolveOptions({ ...choice, dtype }, io))
}

/** What the card computes fastest: half precision needs a card that has it, and its answers come from fewer bytes. */
async function dtypesForGpu(): Promise<readonly Dtype[]> {
  const { vulkanDevices } = await import('../system/vulkan-devices.ts')
  const found = vulkanDevices()
  // Where nobody can be asked, cards have it: all that Metal and Direct3D 12 know of today.
  const hasHalf = 'why' in found ? process.platform !== 'linux' : found.devices.some((each) => each.hasHalf)
  return hasHalf ? GPU_ORDER : GPU_ORDER.filter((dtype) => !HALF_DTYPES.has(dtype))
}

/** What is to be resolved: the embedded model where none is named. */
export function resolveOptions(choice: ModelChoice, io: FetchIo): ResolveOptions {
  const { model, dtype, cacheDir, offline } = choice
  const { signal, beforeFetch, onProgress, note } = io
  return {
    model: model ?? EMBEDDED_MODEL.folder,
    name: model === undefined ? EMBEDDED_MODEL.name : undefined,
    ...{ dtype, cacheDir, offline, signal, beforeFetch, onProgress, note },
  }
}

/** What the runtime refuses while it loads is the model's fault. */
function loadError(error: unknown): unknown {
  if (!(error instanceof SpoutError) || error.code !== 'failed') return error
  return new SpoutError('config', `model: ${error.message}`, {
    hint: 'another --dtype, or spout models verify',
    cause: error,
  })
}
