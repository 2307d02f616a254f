/**
 * The head (`lm_head`) in 8 bits. Every token reads its whole weight, and where that is fp32 or fp16 beside small layers,
 * it takes the most of a step. Whether the answers stay what they were is for the caller to check.
 */
import { withDomain } from '../onnx-file/domains.ts'
import { ATTRIBUTE, ELEMENT_BITS, FLOAT, FLOAT16, MICROSOFT, NODE, UINT8 } from '../onnx-file/fields.ts'
import { type Graph, type GraphNode, producersOf } from '../onnx-file/graph.ts'
import { makeInitializer, makeNode } from '../onnx-file/make-parts.ts'
import { tensorSlices } from '../onnx-file/tensor-bytes.ts'
import { withoutUnread } from '../onnx-file/unread.ts'
import { weightBytes } from '../onnx-file/weight-bytes.ts'
import { bytesSource, fieldsOf, integersOf, textField } from '../onnx-file/wire.ts'
import { BLOCK, type EightBits, quantizeSlices, sliceBytesOf } from './eight-bits.ts'
import { findHeads } from './heads.ts'

/** From when on a head dominates. */
export interface HeadLimits {
  /** Of the bytes of all weights. */
  readonly share: number
  readonly bytes: number
  /** Only where other matmuls are quantized: who takes a model in fp32 wants it in fp32. */
  readonly isLeftOver?: boolean
}

/** By bytes read: of an fp32 head nearly three quarters are saved, so of a step about an eighth when it is a fifth. */
const DOMINANT: HeadLimits = { share: 0.2, bytes: 8e6, isLeftOver: true }
/** The new weight travels inside the graph, and a message of protobuf ends at 2 GB. */
const MOST_BYTES = 1.5e9

/** The graph with its head in 8 bits; the same object when it has none that dominates and can be. */
export function quantizeHead(graph: Graph, limits: HeadLimits = DOMINANT): Graph {
  const [head, ...others] = findHeads(graph, 'logits').matmuls
  if (head?.opType !== 'MatMul' || others.length > 0) return graph
  if (limits.isLeftOver && !graph.opTypes.has('MatMulNBits')) return graph
  const weight = findWeight(graph, head.inputs[1]!)
  if (weight === undefined || !dominates(graph, weight, limits)) return graph
  const layout = { ...weight, isHalf: weight.type === FLOAT16 }
  const made = quantizeSlices(tensorSlices(graph, weight.name, sliceBytesOf(layout)), layout)
  if (made === undefined) return graph
  return withoutUnread(withMatmul(graph, head, weight, made), weight.chain)
}

interface HeadWeight {
  /** The initializer. */
  readonly name: string
  readonly type: number
  readonly k: number
  readonly n: number
  readonly isTransposed: boolean
  /** The matmul is of halves. */
  readonly isHalfMatmul: boolean
  /** Every name from the matmul up to the initializer. */
  readonly chain: readonly string[]
}

/** Transpositions and casts to fp32 stand between a matmul and its weight. */
const WEIGHT_STEPS = 4

function findWeight(graph: Graph, matmul: string): HeadWeight | undefined {
  const producers = producersOf(graph)
  const chain = [matmul]
  let isTransposed = false
  let isCast = false
  for (let step = 0; step < WEIGHT_STEPS; step++) {
    const name = chain.at(-1)!
    const facts = graph.initializers.get(name)
    const node = producers.get(name)
    if (facts !== undefined) {
      const [rows = 0, columns = 0, ...more] = facts.dims
      const [k, n] = isTransposed ? [columns, rows] : [rows, columns]
      const isHalfMatmul = facts.type === FLOAT16 && !isCast
      const isPlain = more.length === 0 && (facts.type === FLOAT || facts.type === FLOAT16)
      return isPlain ? { name, type: facts.type, k, n, isTransposed, isHalfMatmul, chain } : undefined
    }
    if (node?.opType === 'Transpose') isTransposed = isTransposed !== isSwap(node)
    else if (node?.opType === 'Cast' && node.ints.to === FLOAT) isCast = true
    else return undefined
    chain.push(node.inputs[0]!)
  }
  return undefined
}

/** Whether a Transpose of two axes changes them: it does unless it says otherwise. */
function isSwap({ bytes }: GraphNode): boolean {
  const source = bytesSource(bytes)
  for (const attribute of fieldsOf(source)) {
    if (attribute.number !== NODE.attribute || textField(source, attribute, ATTRIBUTE.name) !== 'perm')
      continue
    for (const field of fieldsOf(source, attribute.valueStart, attribute.end)) {
      if (field.number === ATTRIBUTE.ints) return integersOf(source, field)[0] === 1
    }
  }
  return true
}

function dominates(graph: Graph, { type, k, n }: HeadWeight, { share, bytes }: HeadLimits): boolean {
  const size = (k * n * ELEMENT_BITS[type]!) / 8
  const isFit = n > 0 && k > 0 && k % BLOCK === 0 && k * n * (1 + 4 / BLOCK) < MOST_BYTES
  return isFit && size >= bytes && size >= share * weightBytes(graph)
}

/** The matmul with the new weight in place of the head, between casts where the head is of halves. */
function withMatmul(graph: Graph, head: GraphNode, weight: HeadWeight, made: EightBits): Graph {
  const { k, n, isHalfMatmul } = weight
  const tensors = {
    'spout.head.codes': { type: UINT8, dims: [n, k / BLOCK, BLOCK], raw: made.codes },
    'spout.head.scales': { type: FLOAT, dims: [n, k / BLOCK], raw: new Uint8Array(made.scales.buffer) },
  }
  const nodes = matmulNodes(head, { K: k, N: n, bits: 8, block_size: BLOCK, accuracy_level: 4 }, isHalfMatmul)
  const initializers = new Map(graph.initializers)
  for (const [name, { type, dims }] of Object.entries(tensors)) {
    initializers.set(name, { type, dims, scalar: undefined })
  }
  return {
    ...graph,
    initializers,
    nodes: graph.nodes.flatMap((node) => (node === head ? nodes : [node])),
    otherFields: [
      ...graph.otherFields,
      ...Object.entries(tensors).map(([name, content]) => makeInitializer(name, content)),
    ],
    modelFields: withDomain(graph.modelFields, MICROSOFT),
    opTypes: new Set([...graph.opTypes, ...nodes.map(({ opType }) => opType)]),
  }
}

function matmulNodes(head: GraphNode, ints: Record<string, number>, isHalf: boolean): GraphNode[] {
  const [rows] = head.inputs as [string]
  const matmul = (from: string, outputs: readonly string[]): GraphNode => {
    const inputs = [from, 'spout.head.codes', 'spout.head.scales']
    return makeNode('MatMulNBits', { inputs, outputs, domain: MICROSOFT, ints })
  }
  if (!isHalf) return [matmul(rows, head.outputs)]
  const cast = (from: string, outputs: readonly string[], to: number): GraphNode =>
    makeNode('Cast', { inputs: [from], outputs, ints: { to } })
  return [
    cast(rows, ['spout.head.rows'], FLOAT),
    matmul('spout.head.rows', ['spout.head.logits']),
    cast('spout.head.logits', head.outputs, FLOAT16),
  ]
}
