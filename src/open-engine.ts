/**
 * The composition root: finds the model, loads session and tokenizer side by side, and wires the engine that owns them.
 */
import { fileURLToPath } from 'node:url'
import type { Backend } from './backend/backend.ts'
import { loadSession } from './backend/onnx/load-session.ts'
import { OnnxBackend } from './backend/onnx/onnx-backend.ts'
import { openRuntime, type RuntimeChoice } from './backend/onnx/runtime/open-runtime.ts'
import { defaultThreads } from './backend/onnx/runtime/threads.ts'
import type { Engine, EngineModel } from './engine/engine.ts'
import { createLocalEngine } from './engine/local-engine.ts'
import { SpoutError } from './errors.ts'
import type { DtypeChoice } from './model/dtype.ts'
import { loadModelConfig } from './model/model-config.ts'
import type { Progress } from './model/pull-model.ts'
import { resolveModel } from './model/resolve-model.ts'
import type { ModelConfig, ResolvedModel } from './model/resolved-model.ts'
import { ownCacheFolder } from './own-cache.ts'
import { samplingDefaults } from './sampling/generation-defaults.ts'
import { tidyHeapAfter } from './tidy-heap.ts'
import { type ChatTemplate, loadChatTemplate } from './tokenizer/chat-template.ts'
import { loadPreparedTokenizer } from './tokenizer/load-prepared.ts'
import type { Trace } from './trace.ts'

export interface OpenEngineOptions {
  /** `org/name[@revision]` or a folder; the embedded model when absent. */
  readonly model?: string | undefined
  readonly dtype?: DtypeChoice | undefined
  readonly runtime?: RuntimeChoice | undefined
  /** Intra-op threads; one per physical core when absent. */
  readonly threads?: number | undefined
  /** False: nothing that was prepared is used. */
  readonly prepared?: boolean | undefined
  /** Products are computed as exactly as the model's file says. */
  readonly precise?: boolean | undefined
  /** A shorter context than the model's. */
  readonly contextLength?: number | undefined
  readonly cacheDir?: string | undefined
  readonly offline?: boolean | undefined
  /** Uses what earlier runs prepared in our own cache, and prepares for later ones. Default true. */
  readonly prepare?: boolean | undefined
  /** A chat template of the user's, in place of the model's. */
  readonly chatTemplateFile?: string | undefined
  readonly signal?: AbortSignal | undefined
  /** Told how far downloads are. */
  readonly onProgress?: ((progress: Progress) => void) | undefined
  /** The files are all here. What follows may keep the thread busy, so that no handler of a signal runs. */
  readonly onResolved?: ((model: ResolvedModel) => void) | undefined
  /** Told what was decided (`info`) and what should be looked at (`warning`). */
  readonly note?: ((text: string, level: 'info' | 'warning') => void) | undefined
  readonly trace?: Trace | undefined
}

/** The model that comes with the program, and its name. */
export const EMBEDDED_MODEL = {
  name: 'spout-tiny',
  folder: fileURLToPath(new URL('../fixtures/models/spout-tiny', import.meta.url)),
}

/** A backend and what was read beside it. Whoever opened it disposes the backend. */
export interface OpenedBackend {
  readonly backend: Backend
  readonly model: EngineModel
  readonly config: ModelConfig
  readonly template: ChatTemplate | undefined
  /** Prepares for later runs: to be called when the answer is out and nobody waits. Never throws. */
  readonly afterAnswer: () => void
}

/** Loads a model and makes the engine that owns it. @throws as `openBackend` does. */
export async function openEngine(options: OpenEngineOptions = {}): Promise<Engine> {
  const { backend, model, config, template, afterAnswer } = await openBackend(options)
  const { options: defaults, notes } = samplingDefaults(config.generation)
  for (const line of notes) options.note?.(line, 'info')
  const engine = createLocalEngine({ model, backend, defaults, template })
  const dispose = () => {
    afterAnswer()
    return engine.dispose()
  }
  return { ...engine, dispose }
}

/**
 * Loads a model. The session loads on a thread of the pool while this one reads the tokenizer.
 * @throws SpoutError with the code of what went wrong; nothing stays open.
 */
export async function openBackend(options: OpenEngineOptions = {}): Promise<OpenedBackend> {
  const { note, trace } = options
  const resolved = await resolveFor(options)
  options.onResolved?.(resolved)
  const config = loadModelConfig(resolved.folder, (text) => note?.(text, 'warning'))
  const runtime = await openRuntime(options.runtime ?? 'auto', (text) => note?.(text, 'info'))
  const threads = options.threads ?? defaultThreads()
  const loading = loadSession(runtime, resolved.onnxPath, config, {
    threads,
    spinning: true,
    cacheFolder: ownCacheFolder(process.env),
    usePrepared: options.prepared ?? true,
    precise: options.precise ?? false,
  })
  // Nobody listens while the tokenizer is read; a failure is met at `await loading`.
  loading.catch(() => undefined)
  try {
    const { tokenizer, wasPrepared, prepare } = await loadPreparedTokenizer(resolved.folder, {
      note: (text) => note?.(text, 'info'),
      cacheFolder: options.prepare === false ? undefined : ownCacheFolder(process.env),
    })
    const template = await loadChatTemplate(resolved.folder, { file: options.chatTemplateFile })
    if (!wasPrepared) tidyHeapAfter(tokenizer.vocabSize) // The session is still loading: the thread has time.
    const loaded = await loading
    const backend = new OnnxBackend(loaded, tokenizer, config, options.contextLength)
    for (const line of loaded.plan.warnings) note?.(line, 'warning')
    trace?.('loaded', { model: resolved.id, dtype: resolved.dtype, runtime: runtime.name, threads })
    const { id, revision, dtype } = resolved
    const { contextLength } = backend
    const hasChatTemplate = template !== undefined
    const model = { id, revision, dtype, runtime: runtime.name, contextLength, hasChatTemplate }
    return { backend, model, config, template, afterAnswer: prepare }
  } catch (error) {
    // The session may still be loading: it is closed when it arrives.
    loading.then((loaded) => loaded.dispose()).catch(() => undefined)
    throw loadError(error)
  }
}

/** The files of the model that `options` ask for. @throws SpoutError as `resolveModel` does. */
export function resolveFor({
  model,
  dtype,
  cacheDir,
  offline,
  signal,
  onProgress,
  note,
}: OpenEngineOptions): Promise<ResolvedModel> {
  return resolveModel({
    model: model ?? EMBEDDED_MODEL.folder,
    name: model === undefined ? EMBEDDED_MODEL.name : undefined,
    dtype,
    cacheDir,
    offline,
    signal,
    onProgress,
    note,
  })
}

/** What the runtime refuses while it loads is the model's fault. */
function loadError(error: unknown): unknown {
  if (!(error instanceof SpoutError) || error.code !== 'failed') return error
  return new SpoutError('config', `model: ${error.message}`, {
    hint: 'another --dtype, or spout models verify',
    cause: error,
  })
}
