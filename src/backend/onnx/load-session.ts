/** From a graph file to a session that is ready to run: read the skeleton, give it `num_logits_to_keep`, load it. */
import { readdirSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { SpoutError } from '../../errors.ts'
import type { ModelConfig } from '../../model/resolved-model.ts'
import { Embedder } from './embedder.ts'
import { flattenEmbedding } from './graph/flat-embedding.ts'
import { encodeGraph, type Graph, readGraphFile } from './graph/graph-file.ts'
import { storeGraph } from './graph/graph-store.ts'
import { keepLastRows } from './graph/keep-last-rows.ts'
import { type FeedPlan, makeFeedPlan } from './plan/feed-plan.ts'
import type { Runtime, Session, SessionOptions } from './runtime/runtime.ts'

/** A session, how to feed it, and the session that embeds for it where the model is split. */
export interface LoadedSession {
  readonly session: Session
  readonly plan: FeedPlan
  readonly embedder?: Embedder | undefined
  dispose(): Promise<void>
}

export interface LoadOptions extends SessionOptions {
  /** Where patched graphs are kept; without it they are only in memory. */
  readonly cacheFolder?: string | undefined
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
  const original = readGraphFile(onnxPath)
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
      const embedding = await open(runtime, { graph: readGraphFile(path), path, options })
      opened.push(embedding)
      embedder = new Embedder(embedding, session, config)
      opened[1] = embedder
    }
    const embeddings = embedder?.names ?? new Set<string>()
    return { session, plan: makeFeedPlan({ session, graph, config, embeddings }), embedder, dispose }
  } catch (error) {
    await dispose()
    throw error
  }
}

/** With the head cut to the last rows where that is possible; as it is in the file where the runtime disagrees. */
async function openDecoder(
  runtime: Runtime,
  original: Graph,
  path: string,
  options: LoadOptions,
): Promise<{ session: Session; graph: Graph }> {
  const patched = keepLastRows(flattenEmbedding(original))
  if (patched !== undefined && patched !== original) {
    const session = await open(runtime, {
      graph: patched,
      path,
      options,
      cacheFolder: options.cacheFolder,
    }).catch(() => undefined)
    const logits = session?.outputs.find((info) => info.name === 'logits')
    // The rows are cut along the axis of [batch, tokens, size]; a head over [tokens, size] has another.
    if (session !== undefined && logits?.dims.length === 3) return { session, graph: patched }
    await session?.dispose()
  }
  return { session: await open(runtime, { graph: original, path, options }), graph: original }
}

interface OpenInput {
  readonly graph: Graph
  /** Of the file it came from, for messages. */
  readonly path: string
  readonly options: SessionOptions
  readonly cacheFolder?: string | undefined
}

async function open(runtime: Runtime, input: OpenInput): Promise<Session> {
  const { graph, path, options, cacheFolder } = input
  const bytes = encodeGraph(graph)
  const stored = cacheFolder === undefined ? undefined : storeGraph(bytes, cacheFolder)
  const source = { bytes, weightsFolder: graph.weightsFolder, path: stored }
  try {
    return await runtime.createSession(source, options)
  } catch (error) {
    throw refused(error, basename(path))
  }
}

/** What the runtime says of a graph it cannot load, as a fault of the file. */
function refused(error: unknown, name: string): unknown {
  if (!(error instanceof SpoutError) || error.code !== 'failed') return error
  for (const { words, detail } of UNKNOWN_THINGS) {
    const found = words.exec(error.message)
    if (found === null) continue
    return new SpoutError('config', `model graph: ${name}: ${detail(found)}`, {
      hint: 'the file wants another ONNX Runtime, or a newer one (`npm ls onnxruntime-node` shows this one)',
      cause: error,
    })
  }
  const told = error.message.replace(/^onnxruntime: /, '').slice(0, 400)
  return new SpoutError('config', `model graph: ${name}: ${told}`, {
    hint: 'download the model again, or take another file of it: --dtype',
    cause: error,
  })
}

interface UnknownThing {
  readonly words: RegExp
  readonly detail: (found: RegExpExecArray) => string
}

const UNKNOWN_THINGS: readonly UnknownThing[] = [
  {
    words: /(\S+?)\(-?\d+\) is not a registered function\/op/,
    detail: ([, operator]) => `ONNX Runtime has no operator ${operator}`,
  },
  {
    words: /No Op registered for (\S+) with domain_version of (\d+)/,
    detail: ([, operator, opset]) => `ONNX Runtime has no operator ${operator} in opset ${opset}`,
  },
  {
    words: /Opset (\d+) is under development.*is till opset (\d+)/,
    detail: ([, wanted, known]) => `opset ${wanted}; ONNX Runtime knows up to ${known}`,
  },
  {
    words: /Unsupported model IR version: (\d+), max supported IR version: (\d+)/,
    detail: ([, wanted, known]) => `ONNX format ${wanted}; ONNX Runtime knows up to ${known}`,
  },
]

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
