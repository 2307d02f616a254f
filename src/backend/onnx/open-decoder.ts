/** From the skeleton of a graph to a session: the graph is given `num_logits_to_keep`, and what the runtime says of it is told. */
import { basename } from 'node:path'
import { SpoutError } from '../../errors.ts'
import { encodeGraph, type Graph } from '../../onnx-file/graph-file.ts'
import { flattenEmbedding } from './passes/flat-embedding.ts'
import { storeGraph } from './passes/graph-store.ts'
import { keepLastRows } from './passes/keep-last-rows.ts'
import { type OwnGraph, withOwnOperators } from './passes/own-graph.ts'
import type { Runtime, Session, SessionOptions } from './runtime/runtime.ts'

export interface DecoderOptions extends SessionOptions {
  /** Where patched graphs are kept; without it they are only in memory. */
  readonly cacheFolder?: string | undefined
  /** The last change before the runtime gets the graph; what is made here of a plan is made of the graph before it. */
  readonly rearrange?: ((graph: Graph) => Graph) | undefined
  /** What we compute ourselves becomes our own operators where the runtime has them: products one by one, or stacked as well. */
  readonly ownOperators?: 'single' | 'stacked' | undefined
}

/** With the head cut to the last rows where that is possible; as it is in the file where the runtime disagrees. */
export async function openDecoder(
  runtime: Runtime,
  original: Graph,
  path: string,
  options: DecoderOptions,
): Promise<{ session: Session; graph: Graph }> {
  const patched = keepLastRows(flattenEmbedding(original))
  if (patched !== undefined && patched !== original) {
    const { cacheFolder } = options
    const session = await openGraph(runtime, { graph: patched, path, options, cacheFolder }).catch(
      () => undefined,
    )
    const logits = session?.outputs.find((info) => info.name === 'logits')
    // The rows are cut along the axis of [batch, tokens, size]; a head over [tokens, size] has another.
    if (session !== undefined && logits?.dims.length === 3) return { session, graph: patched }
    await session?.dispose()
  }
  return { session: await openGraph(runtime, { graph: original, path, options }), graph: original }
}

interface OpenInput {
  readonly graph: Graph
  /** Of the file it came from, for messages. */
  readonly path: string
  readonly options: DecoderOptions
  readonly cacheFolder?: string | undefined
}

export async function openGraph(runtime: Runtime, input: OpenInput): Promise<Session> {
  const own = ownGraphOf(runtime, input)
  try {
    return await createSession(runtime, input, own)
  } catch (error) {
    if (own.operators === undefined) throw refused(error, basename(input.path))
    // Whatever it is: the runtime has operators of its own, and tells what is wrong with the model.
    return openGraph(runtime, { ...input, options: { ...input.options, ownOperators: undefined } })
  }
}

function createSession(
  runtime: Runtime,
  { options, cacheFolder }: OpenInput,
  { graph, ...own }: OwnGraph,
): Promise<Session> {
  const bytes = encodeGraph(graph)
  const stored = cacheFolder === undefined ? undefined : storeGraph(bytes, cacheFolder)
  const source = { bytes, weightsFolder: graph.weightsFolder, path: stored, ...own }
  return runtime.createSession(source, options)
}

function ownGraphOf(runtime: Runtime, { graph, options }: OpenInput): OwnGraph {
  const { ownOperators, rearrange = (rest: Graph) => rest } = options
  const unchanged = (): OwnGraph => ({ graph: rearrange(graph), weights: [], operators: undefined })
  if (ownOperators === undefined || !runtime.hasOwnOperators) return unchanged()
  try {
    const own = withOwnOperators(graph, { isStacked: ownOperators === 'stacked' })
    return { ...own, graph: rearrange(own.graph) }
  } catch (error) {
    if (error instanceof SpoutError) throw error
    // A file that cannot be read: the runtime says so as well, and of what file.
    return unchanged()
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
