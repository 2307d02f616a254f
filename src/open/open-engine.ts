/**
 * The composition root: finds the model, loads session and tokenizer side by side, and wires the engine that owns them.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Backend } from '../backend/backend.ts'
import { type LoadedSession, loadSession } from '../backend/onnx/load-session.ts'
import { OnnxBackend } from '../backend/onnx/onnx-backend.ts'
import { openRuntime, type RuntimeChoice } from '../backend/onnx/runtime/open-runtime.ts'
import type { Runtime } from '../backend/onnx/runtime/runtime.ts'
import { type ChatTemplate, loadChatTemplate } from '../chat-template/chat-template.ts'
import type { Engine, EngineModel } from '../engine/engine.ts'
import { createLocalEngine } from '../engine/local-engine.ts'
import { SpoutError } from '../errors.ts'
import { withRepair } from '../hub-cache/check-cached.ts'
import type { Progress } from '../hub-cache/progress.ts'
import { type ResolveOptions, resolveModel } from '../hub-cache/resolve-model.ts'
import type { DtypeChoice } from '../model/dtype.ts'
import { loadModelConfig } from '../model/model-config.ts'
import type { ModelConfig, ResolvedModel } from '../model/resolved-model.ts'
import { samplingDefaults } from '../sampling/generation-defaults.ts'
import { chooseThreads } from '../system/choose-threads.ts'
import { trustedOwnCache } from '../system/own-cache.ts'
import { tidyHeapAfter } from '../system/tidy-heap.ts'
import { loadPreparedTokenizer } from '../tokenizer/load-prepared.ts'
import type { Tokenizer } from '../tokenizer/tokenizer.ts'
import type { Trace } from '../trace.ts'
import { chatStopsOf } from './chat-stops.ts'
import { EMBEDDED_MODEL } from './embedded-model.ts'

export interface OpenEngineOptions {
  /** `org/name[@revision]` or a folder; the embedded model when absent. */
  readonly model?: string | undefined
  readonly dtype?: DtypeChoice | undefined
  readonly runtime?: RuntimeChoice | undefined
  /** Intra-op threads; when absent one per physical core, and no more than a container's quota of processors. */
  readonly threads?: number | undefined
  /** Products are computed as exactly as the model's file says. */
  readonly precise?: boolean | undefined
  /** A shorter context than the model's. */
  readonly contextLength?: number | undefined
  readonly cacheDir?: string | undefined
  readonly offline?: boolean | undefined
  /** Uses what was prepared in our own cache (`prepareModel`), and says when something could be. Default true. */
  readonly prepare?: boolean | undefined
  /** A chat template of the user's, in place of the model's. */
  readonly chatTemplateFile?: string | undefined
  /** A chat, or a system message: what is missing for that is said. */
  readonly wantsChat?: boolean | undefined
  readonly signal?: AbortSignal | undefined
  /** Waited for before anything is fetched. When it rejects, so does the opening. */
  readonly beforeFetch?: (() => Promise<void>) | undefined
  /** Told how far downloads are. */
  readonly onProgress?: ((progress: Progress) => void) | undefined
  /** The files are all here. What follows may keep the thread busy, so that no handler of a signal runs. */
  readonly onResolved?: ((model: ResolvedModel) => void) | undefined
  /** Told what was decided (`info`) and what should be looked at (`warning`). */
  readonly note?: ((text: string, level: 'info' | 'warning') => void) | undefined
  readonly trace?: Trace | undefined
}

/** A backend and what was read beside it. Whoever opened it disposes the backend. */
export interface OpenedBackend {
  readonly backend: Backend
  readonly model: EngineModel
  readonly config: ModelConfig
  readonly template: ChatTemplate | undefined
}

/** Loads a model and makes the engine that owns it. @throws as `openBackend` does. */
export async function openEngine(options: OpenEngineOptions = {}): Promise<Engine> {
  return finishEngine(await startModel(options), options)
}

/** The engine of a model, once its session is there. @throws as `openBackend` does. */
export async function finishEngine(started: StartedModel, options: OpenEngineOptions): Promise<Engine> {
  const { backend, model, config, template } = await finishBackend(started, options)
  const { options: defaults, notes } = samplingDefaults(config.generation)
  for (const line of notes) options.note?.(line, 'info')
  const { ids: chatStops, notes: stopNotes } = chatStopsOf(template, backend)
  for (const { text, level } of stopNotes) options.note?.(text, level)
  const note = once((text) => options.note?.(text, 'warning'))
  return createLocalEngine({ model, backend, defaults, template, chatStops, note })
}

/** Tells each text the first time only: every turn of a chat may bring it again. */
function once(tell: (text: string) => void): (text: string) => void {
  const told = new Set<string>()
  return (text) => {
    if (!told.has(text)) tell(text)
    told.add(text)
  }
}

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
  readonly template: ChatTemplate | undefined
}

/** Begins to load a model, and reads its texts meanwhile. @throws as `openBackend` does. */
export async function startModel(options: OpenEngineOptions): Promise<StartedModel> {
  const { note } = options
  const threads = chooseThreads(options)
  // First, for the library's own start goes on while the model is looked for.
  const runtime = await openRuntime(options.runtime ?? 'auto', (text) => note?.(text, 'info'))
  const resolved = await resolveFor(options)
  options.onResolved?.(resolved)
  const config = configOf(resolved, options)
  const cacheFolder = trustedOwnCache(process.env, note)
  const usePrepared = options.prepare ?? true
  const loading = loadSession(runtime, resolved.onnxPath, config, {
    threads,
    spinning: true,
    cacheFolder,
    usePrepared,
    precise: options.precise ?? false,
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
    const template = await loadChatTemplate(resolved.folder, { file: options.chatTemplateFile })
    if (template === undefined) noteNoTemplate(resolved.folder, options)
    if (!wasPrepared) tidyHeapAfter(tokenizer.vocabSize) // The session is still loading: the thread has time.
    const tokenizerMayPrepare = prepare !== undefined
    return { resolved, config, runtime, threads, loading, tokenizer, tokenizerMayPrepare, template }
  } catch (error) {
    disposeLater(loading)
    throw withRepair(loadError(error), resolved)
  }
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
    for (const line of loaded.plan.warnings) options.note?.(line, 'warning')
    if ((options.contextLength ?? 0) > backend.contextLength) {
      options.note?.(
        `a context of ${options.contextLength} tokens: the model has ${backend.contextLength}`,
        'warning',
      )
    }
    const { id, revision, dtype } = resolved
    const { runs } = loaded
    options.trace?.('loaded', { model: id, dtype, runtime: runtime.name, threads, runs })
    const { contextLength } = backend
    const hasChatTemplate = template !== undefined
    const mayPrepare = loaded.mayPrepare || tokenizerMayPrepare
    const model = {
      id,
      revision,
      dtype,
      runtime: runs.runtime,
      runs,
      contextLength,
      hasChatTemplate,
      mayPrepare,
    }
    return { backend, model, config, template }
  } catch (error) {
    disposeLater(loading)
    throw withRepair(loadError(error), resolved)
  }
}

/** A folder without the file that nearly every chat model has its template in may have been fetched in part. */
export function noteNoTemplate(folder: string, { note, wantsChat }: OpenEngineOptions): void {
  if (existsSync(join(folder, 'tokenizer_config.json'))) return
  const text = 'tokenizer_config.json is not there, and no chat template: the text is continued as it is'
  note?.(`${text} (spout models pull fetches what is missing)`, wantsChat ? 'warning' : 'info')
}

/** The session may still be loading: it is closed when it arrives. */
function disposeLater(loading: Promise<LoadedSession>): void {
  loading.then((loaded) => loaded.dispose()).catch(() => undefined)
}

/** The files of the model that `options` ask for. @throws SpoutError as `resolveModel` does. */
export function resolveFor(options: OpenEngineOptions): Promise<ResolvedModel> {
  return resolveModel(resolveOptions(options))
}

/** What is to be resolved for `options`: the embedded model where none is named. */
export function resolveOptions({
  model,
  dtype,
  cacheDir,
  offline,
  signal,
  beforeFetch,
  onProgress,
  note,
}: OpenEngineOptions): ResolveOptions {
  return {
    model: model ?? EMBEDDED_MODEL.folder,
    name: model === undefined ? EMBEDDED_MODEL.name : undefined,
    dtype,
    cacheDir,
    offline,
    signal,
    beforeFetch,
    onProgress,
    note,
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
