/** The ways from a graph to a session: with kernels of ours or the runtime's, with a head over the last row or over all. */
import { basename } from 'node:path'
import { SpoutError } from '../../errors.ts'
import { flattenEmbedding } from '../../graph-passes/flat-embedding.ts'
import { storeGraph } from '../../graph-passes/graph-store.ts'
import { keepLastRows } from '../../graph-passes/keep-last-rows.ts'
import { type OwnGraph, withOwnOperators } from '../../graph-passes/own-graph.ts'
import type { RowUse } from '../../graph-passes/row-by-row.ts'
import type { OwnOperators } from '../../kernels/operators.ts'
import { encodeGraph, type Graph } from '../../onnx-file/graph-file.ts'
import type { Runtime, Session, SessionOptions } from '../../onnx-runtime/runtime.ts'
import { refusedGraph } from './refused-graph.ts'
import { TraitError, type Traits, type Variant } from './variants.ts'

export interface DecoderOptions extends SessionOptions {
  /** Where patched graphs are kept; without it they are only in memory. */
  readonly cacheFolder?: string | undefined
  /** The last change before the runtime gets the graph; what is made here of a plan is made of the graph before it. */
  readonly rearrange?: ((graph: Graph) => Graph) | undefined
}

/** What kernels of ours compute: matmuls one by one or, of the same rows, stacked; or nothing. */
export type OwnKernels = 'single' | 'stacked' | 'none'

export interface OpenedGraph {
  readonly session: Session
  /** Of ours, in the graph. */
  readonly operators: OwnOperators | undefined
  /** Of a graph with attention of ours: whether its rows may be of several sequences. */
  readonly rows?: RowUse | undefined
}

export interface Decoder extends OpenedGraph {
  /** As it is run, but for what kernels of ours replaced. */
  readonly graph: Graph
}

export interface DecoderSource {
  readonly graph: Graph
  /** Of the file it came from, for messages. */
  readonly path: string
  readonly options: DecoderOptions
}

/** The sessions that a graph may have, in the order in which to try them. */
export function decoderVariants(
  runtime: Runtime,
  source: DecoderSource,
  kernels: readonly OwnKernels[],
): Variant<Decoder>[] {
  return headsOf(source.graph).flatMap(({ graph, head }) =>
    kernels.map((own) => ({
      device: 'cpu' as const,
      graph: 'original' as const,
      kernels: own === 'none' ? ('runtime' as const) : ('own' as const),
      head,
      async open() {
        const cacheFolder = head === 'last row' ? source.options.cacheFolder : undefined
        const opened = await openGraph(runtime, { ...source, graph, own, cacheFolder })
        if (head === 'last row') await checkHead(opened.session)
        return { ...opened, graph }
      },
    })),
  )
}

interface Head extends Pick<Traits, 'head'> {
  readonly graph: Graph
}

/** The graph with its head cut to the last row, where that is one we recognise; then as it is in the file. */
function headsOf(original: Graph): Head[] {
  const patched = keepLastRows(flattenEmbedding(original))
  const asItIs: Head = { graph: original, head: 'all rows' }
  if (patched === undefined || patched === original) return [asItIs]
  return [{ graph: patched, head: 'last row' }, asItIs]
}

/** The rows are cut along the axis of [batch, tokens, size]; a head over [tokens, size] has another. */
async function checkHead(session: Session): Promise<void> {
  const logits = session.outputs.find((info) => info.name === 'logits')
  if (logits?.dims.length === 3) return
  await session.dispose()
  throw new TraitError('head', new SpoutError('config', 'model graph: the logits have no axis of tokens'))
}

interface GraphToOpen extends DecoderSource {
  readonly own?: OwnKernels
  readonly cacheFolder?: string | undefined
}

/** @throws SpoutError `config` when the runtime refuses the graph, or a file of its weights cannot be read. */
export async function openGraph(runtime: Runtime, input: GraphToOpen): Promise<OpenedGraph> {
  const { path, options, cacheFolder } = input
  const { graph, own, rows } = ownGraphOf(input)
  const bytes = encodeGraph(graph)
  const stored = cacheFolder === undefined ? undefined : storeGraph(bytes, cacheFolder)
  const source = { bytes, weightsFolder: graph.weightsFolder, path: stored, own }
  try {
    return { session: await runtime.createSession(source, options), operators: own?.operators, rows }
  } catch (error) {
    throw refusedGraph(error, basename(path))
  }
}

function ownGraphOf({ graph, path, options, own = 'none' }: GraphToOpen): OwnGraph {
  const { rearrange = (rest: Graph) => rest } = options
  if (own === 'none') return { graph: rearrange(graph), own: undefined }
  try {
    const changed = withOwnOperators(graph, { isStacked: own === 'stacked' })
    return { ...changed, graph: rearrange(changed.graph) }
  } catch (cause) {
    const { syscall, code } = cause as NodeJS.ErrnoException
    if (syscall === undefined) throw cause
    throw new SpoutError('config', `model weights: of ${basename(path)}: ${code}`, { cause })
  }
}
