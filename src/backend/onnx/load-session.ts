/** From a graph file to a session that is ready to run, and how to feed it: the prepared one, or the model's own graph. */
import { readdirSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { SpoutError } from '../../errors.ts'
import type { ModelConfig } from '../../model/resolved-model.ts'
import { type Graph, readGraphFile } from '../../onnx-file/graph-file.ts'
import { Embedder } from './embedder.ts'
import { type DecoderOptions, openDecoder, openGraph } from './open-decoder.ts'
import { withInt8Products } from './passes/accuracy-level.ts'
import { hasOwnOperators } from './passes/own-graph.ts'
import { type FeedPlan, makeFeedPlan } from './plan/feed-plan.ts'
import { findPrepared, type PreparedModel } from './prepared/prepared-model.ts'
import type { Runtime, Session, SessionOptions } from './runtime/runtime.ts'

/** A session, how to feed it, and the session that embeds for it where the model is split. */
export interface LoadedSession {
  readonly session: Session
  readonly plan: FeedPlan
  readonly embedder?: Embedder | undefined
  /** Nothing was prepared of this model, and it is worth trying. */
  readonly mayPrepare: boolean
  dispose(): Promise<void>
}

export interface LoadOptions extends DecoderOptions {
  /** Looks for a prepared model in `cacheFolder`. */
  readonly usePrepared?: boolean | undefined
  /** Products are computed as exactly as the file says. */
  readonly precise?: boolean | undefined
}

/**
 * @throws SpoutError `config` when the graph cannot be read or run, or wants inputs that are not known; `not-found`
 * when a part of a split model is not there.
 */
export async function loadSession(
  runtime: Runtime,
  onnxPath: string,
  config: ModelConfig,
  options: LoadOptions,
): Promise<LoadedSession> {
  const { cacheFolder, usePrepared = false, precise = false } = options
  if (!usePrepared || cacheFolder === undefined || runtime.name !== 'c-api') {
    return loadOriginal(runtime, onnxPath, config, options)
  }
  const key = { onnxPath, precise, runtimeVersion: await runtime.version() }
  const prepared = findPrepared(cacheFolder, key)
  if (prepared === undefined || prepared.manifest.refused !== undefined) {
    const loaded = await loadOriginal(runtime, onnxPath, config, options)
    return { ...loaded, mayPrepare: prepared === undefined && loaded.embedder === undefined }
  }
  // The runtime may still not like it. What is wrong with the model itself, the model will tell.
  return openPrepared(runtime, prepared, options).catch(() =>
    loadOriginal(runtime, onnxPath, config, options),
  )
}

/** The session of a prepared model. @throws SpoutError as the runtime does. */
export async function openPrepared(
  runtime: Runtime,
  prepared: PreparedModel,
  options: SessionOptions,
): Promise<LoadedSession> {
  const { folder, graphPath, manifest } = prepared
  const { plan, operators } = manifest
  if (plan === undefined) throw new SpoutError('failed', 'prepared model: there is only a note')
  const source = { bytes: NO_BYTES, path: graphPath, weightsFolder: folder, isOptimized: true, operators }
  const session = await runtime.createSession(source, options)
  return { session, plan, mayPrepare: false, dispose: () => session.dispose() }
}

const NO_BYTES = new Uint8Array(0)

/** The model's own graph, with operators of ours where it has a place for them. */
async function loadOriginal(
  runtime: Runtime,
  onnxPath: string,
  config: ModelConfig,
  options: LoadOptions,
): Promise<LoadedSession> {
  const file = readGraphFile(onnxPath)
  const graph = options.precise ? file : withInt8Products(file)
  const load = (ownOperators?: 'single') =>
    loadGraph(runtime, { graph, path: onnxPath, options: { ...options, ownOperators } }, config)
  if (options.precise || !runtime.hasOwnOperators || !hasOwnOperators(graph)) return load()
  try {
    const loaded = await load('single')
    if (appendsInPlace(loaded)) return loaded
    await loaded.dispose()
  } catch (error) {
    // ONNX Runtime cannot tell the shapes of what comes after operators of ours; what is wrong with the model it tells.
    if (!(error instanceof SpoutError) || error.code !== 'config') throw error
  }
  return load()
}

/** Our own attention can do nothing else. */
function appendsInPlace({ session, plan }: LoadedSession): boolean {
  const hasAttention = (session.operators?.attentions.length ?? 0) > 0
  return !hasAttention || plan.slots.every((slot) => slot.kind !== 'rows' || slot.inPlace)
}

interface GraphToLoad {
  readonly graph: Graph
  readonly path: string
  readonly options: DecoderOptions
}

async function loadGraph(
  runtime: Runtime,
  { graph: original, path: onnxPath, options }: GraphToLoad,
  config: ModelConfig,
): Promise<LoadedSession> {
  const opened: { dispose(): Promise<void> }[] = []
  const dispose = async (): Promise<void> => {
    for (const each of opened) await each.dispose()
  }
  try {
    const { session, graph } = await openDecoder(runtime, original, onnxPath, options)
    opened.push(session)
    let embedder: Embedder | undefined
    if (!original.inputs.includes('input_ids') && original.inputs.includes('inputs_embeds')) {
      const path = embeddingFile(onnxPath)
      const embedding = await openGraph(runtime, {
        graph: readGraphFile(path),
        path,
        options: withoutOwn(options),
      })
      opened.push(embedding)
      embedder = new Embedder(embedding, session, config)
      opened[1] = embedder
    }
    const embeddings = embedder?.names ?? new Set<string>()
    const plan = makeFeedPlan({ session, graph, config, embeddings })
    return { session, plan, embedder, mayPrepare: false, dispose }
  } catch (error) {
    await dispose()
    throw error
  }
}

const withoutOwn = (options: DecoderOptions): DecoderOptions => ({ ...options, ownOperators: undefined })

/** `embed_tokens` beside the decoder, of the decoder's dtype or else of another. */
function embeddingFile(decoderPath: string): string {
  const folder = dirname(decoderPath)
  const suffix = /_(fp16|quantized|int8|uint8|q4|q4f16|bnb4)\.onnx$/.exec(decoderPath)?.[0] ?? '.onnx'
  const files = readdirSync(folder).filter((name) => /^embed_tokens\w*\.onnx$/.test(name))
  const name = files.find((file) => file === `embed_tokens${suffix}`) ?? files.sort()[0]
  if (name === undefined) {
    throw new SpoutError(
      'not-found',
      `model: ${basename(decoderPath)} wants embeddings, and embed_tokens.onnx is not there`,
      {
        hint: 'download the model again, with all its files',
      },
    )
  }
  return join(folder, name)
}
