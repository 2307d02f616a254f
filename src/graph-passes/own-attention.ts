/**
 * A graph whose attention is our own operator. Keys and values of all its layers lie in pages, and every row of a run is of one of
 * several sequences: inputs that all attentions share name both, in place of a past, a present and lengths for each.
 */

import {
  type AttentionShape,
  attentionName,
  isAttentionShape,
  layerPageBytes,
} from '../kernels/attention/attention-shape.ts'
import { OWN_DOMAIN, withDomain } from '../onnx-file/domains.ts'
import { FLOAT, INT32, INT64, MICROSOFT, UINT8 } from '../onnx-file/fields.ts'
import { floatsOf } from '../onnx-file/float-attributes.ts'
import { type Graph, type GraphNode, producersOf, readersOf } from '../onnx-file/graph.ts'
import { projectedHeadDim } from '../onnx-file/head-dim.ts'
import { inputShapes, type ValueShape } from '../onnx-file/input-shapes.ts'
import { makeInitializer, makeInput, makeNode } from '../onnx-file/make-parts.ts'
import { innerNames, withoutUnused } from '../onnx-file/unread.ts'
import { withoutInput, withoutValues } from '../onnx-file/without-input.ts'

/** Keys and values in pages: bytes [pages, size of a page], which a run appends to. */
export const KV = 'spout.kv'
/** Of each sequence of a run, its rows and the tokens before them: int32 [sequences, 2]. */
export const PARTS = 'spout.parts'
/** The pages of these sequences by their numbers, those of one after those of the other: int32 [so many or more]. */
export const PAGES = 'spout.pages'

interface OwnAttention {
  readonly graph: Graph
  readonly attentions: readonly AttentionShape[]
}

/** The same graph, and no shapes, when it has no attention that we compute. */
export function withOwnAttention(graph: Graph): OwnAttention {
  const attentions: AttentionShape[] = []
  const layers: Uint8Array[] = []
  const gone = { inputs: new Set<string>(), outputs: new Set<string>() }
  const values = valuesOf(graph)
  let pageBytes = 0
  const nodes = graph.nodes.map((node) => {
    const shape = shapeOf(node, values)
    if (shape === undefined) return node
    attentions.push(shape)
    const layer = `spout.layer.${node.outputs[0]}`
    layers.push(makeInitializer(layer, { type: INT64, dims: [1], raw: int64(pageBytes) }))
    pageBytes += layerPageBytes(shape)
    for (const place of [PAST_KEY, PAST_VALUE]) gone.inputs.add(node.inputs[place]!)
    for (const name of node.outputs.slice(1)) gone.outputs.add(name)
    return ownNode(node, shape, layer)
  })
  if (attentions.length === 0) return { graph, attentions }
  const inputs = [
    makeInput(KV, { type: UINT8, dims: ['spout.pool_pages', pageBytes] }),
    makeInput(PARTS, { type: INT32, dims: ['spout.sequences', 2] }),
    makeInput(PAGES, { type: INT32, dims: ['spout.page_count'] }),
  ]
  const cut = withoutValues(graph, gone)
  return {
    graph: withoutMask({
      ...cut,
      nodes: withoutUnused(nodes, cut.outputs),
      inputs: [...cut.inputs, KV, PARTS, PAGES],
      otherFields: [...cut.otherFields, ...layers, ...inputs],
      modelFields: withDomain(graph.modelFields, OWN_DOMAIN),
      opTypes: new Set([...graph.opTypes, ...attentions.map(attentionName)]),
    }),
    attentions,
  }
}

/** Exporters make the lengths of it, which nobody wants any more. */
function withoutMask(graph: Graph): Graph {
  const isRead = readersOf(graph).has(MASK) || innerNames(graph).has(MASK)
  return isRead ? graph : withoutInput(graph, MASK)
}

const MASK = 'attention_mask'

function int64(value: number): Uint8Array {
  const bytes = Buffer.alloc(8)
  bytes.writeBigInt64LE(BigInt(value))
  return bytes
}

/** Whether a graph has an attention that we may compute. */
export function hasOwnAttention(graph: Graph): boolean {
  const values = valuesOf(graph)
  return graph.nodes.some((node) => shapeOf(node, values) !== undefined)
}

/** What has to be known of the values of a graph. */
interface Values {
  readonly graph: Graph
  readonly inputs: ReadonlyMap<string, ValueShape>
  readonly readers: ReadonlyMap<string, readonly GraphNode[]>
  readonly headDims: ReadonlyMap<string, number | undefined>
  /** What nodes in bodies take. */
  readonly inner: ReadonlySet<string>
}

function valuesOf(graph: Graph): Values {
  return {
    graph,
    inputs: inputShapes(graph),
    readers: readersOf(graph),
    headDims: headDimsOf(graph),
    inner: innerNames(graph),
  }
}

/** Head sizes by the output of an attention, as far as matmuls tell them. */
function headDimsOf(graph: Graph): Map<string, number | undefined> {
  const producers = producersOf(graph)
  const attentions = graph.nodes.filter(isAttention)
  return new Map(attentions.map((node) => [node.outputs[0]!, projectedHeadDim(graph, producers, node)]))
}

const isAttention = ({ opType, domain }: GraphNode): boolean =>
  opType === 'GroupQueryAttention' && domain === MICROSOFT

/** Attributes that we know. */
const KNOWN: ReadonlySet<string> = new Set([
  'num_heads',
  'kv_num_heads',
  'scale',
  'softcap',
  'do_rotary',
  'rotary_interleaved',
  'local_window_size',
  'smooth_softmax',
])
/** Places among the inputs. */
const [PAST_KEY, PAST_VALUE, LENGTHS, COS, SIN] = [3, 4, 5, 7, 8] as const

function shapeOf(node: GraphNode, values: Values): AttentionShape | undefined {
  if (!isAttention(node)) return undefined
  const { num_heads: heads = 0, kv_num_heads: kvHeads = 0, do_rotary: rotary = 0 } = node.ints
  const headDim = pastHeadDim(node, values)
  const isRotated = rotary === 1
  const [query, key, value] = node.inputs
  const isPacked = key === '' && value === ''
  const hasRows = query !== '' && (isPacked || (key !== '' && value !== ''))
  if (!isPlain(node) || !hasRows || headDim === undefined) return undefined
  if (isRotated && !hasAngles(node, values, headDim)) return undefined
  // Zero stands for the usual one.
  const scale = floatsOf(node).get('scale') ?? 0
  const rounded = Math.fround(scale === 0 ? 1 / Math.sqrt(headDim) : scale)
  const shape = { heads, kvHeads, headDim, scale: rounded, isPacked, isRotated }
  return isAttentionShape(shape) ? shape : undefined
}

/** Nothing but scaled scores and softmax over all keys before. */
function isPlain(node: GraphNode): boolean {
  const floats = floatsOf(node)
  const {
    rotary_interleaved: interleaved = 0,
    local_window_size: window = -1,
    smooth_softmax: smooth = 0,
  } = node.ints
  const areKnown = [...floats.keys()].every((name) => KNOWN.has(name))
  const isSimple = interleaved === 0 && window === -1 && smooth === 0 && (floats.get('softcap') ?? 0) === 0
  const hasNoMore = node.inputs.slice(SIN + 1).every((name) => name === '')
  return areKnown && isSimple && hasNoMore && (node.inputs[LENGTHS] ?? '') !== ''
}

/** The size of a head, where keys and values are fp32 inputs that this node alone continues, and nobody else in the graph sees. */
function pastHeadDim({ inputs, outputs }: GraphNode, values: Values): number | undefined {
  const pasts = [inputs[PAST_KEY] ?? '', inputs[PAST_VALUE] ?? ''] as const
  const presents = outputs.slice(1)
  const known = pasts.map((name) => values.inputs.get(name))
  const isOurs =
    pasts[0] !== pasts[1] &&
    presents.length === 2 &&
    presents.every((name) => values.graph.outputs.includes(name) && !values.readers.has(name)) &&
    pasts.every((name) => values.readers.get(name)?.length === 1) &&
    ![...pasts, ...presents].some((name) => values.inner.has(name)) &&
    known.every((shape) => shape?.type === FLOAT && shape.dims.length === 4)
  const told = values.headDims.get(outputs[0]!)
  const [key, value] = known.map((shape) => shape?.dims[3] ?? told)
  return isOurs && key === value ? key : undefined
}

/** The tables turn the whole of a head. */
function hasAngles({ inputs }: GraphNode, { graph }: Values, headDim: number): boolean {
  return [COS, SIN].every((place) => {
    const table = graph.initializers.get(inputs[place] ?? '')
    return table?.type === FLOAT && table.dims.length === 2 && table.dims[1] === headDim / 2
  })
}

function ownNode({ inputs, outputs }: GraphNode, shape: AttentionShape, layer: string): GraphNode {
  const [output] = outputs as [string]
  const rows = inputs.slice(0, PAST_KEY).filter((name) => name !== '')
  const angles = shape.isRotated ? [inputs[COS]!, inputs[SIN]!] : []
  return makeNode(attentionName(shape), {
    inputs: [...rows, KV, layer, PARTS, PAGES, ...angles],
    outputs: [output, `spout.work.${output}`],
    domain: OWN_DOMAIN,
  })
}
