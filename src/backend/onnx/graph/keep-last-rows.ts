/**
 * Logits of the last positions only. The head (`lm_head`) costs as much as several layers and its output is
 * prompt × vocabulary × 4 bytes; only the last row is ever used. Graphs that know this have an input
 * `num_logits_to_keep` (0 = all rows); the others get the same input: the hidden rows are sliced before the head.
 */
import type { Graph, GraphNode } from './graph-file.ts'
import { bytesField, bytesSource, concat, fieldsOf, varintField } from './wire.ts'

export const NUM_LOGITS_TO_KEEP = 'num_logits_to_keep'
const INT64 = 7
const INT64_MAX = (1n << 63n) - 1n

/** Products of the hidden rows with a weight; the rows are the first input. */
const PRODUCTS = new Set([
  'MatMul',
  'MatMulNBits',
  'MatMulBnb4',
  'MatMulInteger',
  'FusedMatMul',
  'MatMulIntegerToFloat',
])
/** What stands between the head and the output in known graphs: casts, scales and soft caps, all row by row. */
const ROW_BY_ROW = new Set(['Cast', 'Mul', 'Div', 'Add', 'Sub', 'Tanh', 'Identity'])

/** The graph with the input `num_logits_to_keep`, or `undefined` when its head is not one we recognise. */
export function keepLastRows(graph: Graph): Graph | undefined {
  if (graph.inputs.includes(NUM_LOGITS_TO_KEEP)) return graph
  const head = findHead(graph)
  if (head === undefined) return undefined
  const rows = 'spout.last_rows'
  const patched: GraphNode = withFirstInput(head, rows)
  return {
    ...graph,
    inputs: [...graph.inputs, NUM_LOGITS_TO_KEEP],
    nodes: graph.nodes.flatMap((node) =>
      node === head ? [...sliceNodes(head.inputs[0]!, rows), patched] : [node],
    ),
    rest: [...graph.rest, ...constants(), inputInfo()],
  }
}

/** Walks from `logits` up to the product that makes it. */
function findHead(graph: Graph): GraphNode | undefined {
  const producers = new Map(graph.nodes.flatMap((node) => node.outputs.map((name) => [name, node] as const)))
  const isConstant = (name: string, depth = 8): boolean => {
    if (name === '' || graph.initializers.has(name)) return true
    const producer = producers.get(name)
    return (
      producer !== undefined && depth > 0 && producer.inputs.every((input) => isConstant(input, depth - 1))
    )
  }
  const search = (name: string, depth: number): GraphNode | undefined => {
    const node = producers.get(name)
    if (node === undefined || depth === 0) return undefined
    if (PRODUCTS.has(node.opType)) return isConstant(node.inputs[1] ?? '') ? node : undefined
    if (!ROW_BY_ROW.has(node.opType)) return undefined
    // Beside the rows there may be a scale computed at run time (dynamic int8): take the input that has a product.
    for (const input of node.inputs) {
      const found = isConstant(input) ? undefined : search(input, depth - 1)
      if (found !== undefined) return found
    }
    return undefined
  }
  return search('logits', 12)
}

function withFirstInput(node: GraphNode, name: string): GraphNode {
  const inputs = [name, ...node.inputs.slice(1)]
  // Fields of one number keep their order; the inputs (1) may stand before all others.
  const rest = stripInputs(node.bytes)
  return { ...node, inputs, bytes: concat([...inputs.map((input) => bytesField(1, input)), rest]) }
}

function stripInputs(bytes: Uint8Array): Uint8Array {
  const kept: Uint8Array[] = []
  for (const field of fieldsOf(bytesSource(bytes))) {
    if (field.number !== 1) kept.push(bytes.subarray(field.start, field.end))
  }
  return concat(kept)
}

/** rows = hidden[:, -keep:, :]; keep = 0 gives the slice from 0, all rows. */
function sliceNodes(hidden: string, rows: string): GraphNode[] {
  return [
    makeNode('Neg', [NUM_LOGITS_TO_KEEP], ['spout.start_scalar']),
    makeNode('Reshape', ['spout.start_scalar', 'spout.one'], ['spout.start']),
    makeNode('Slice', [hidden, 'spout.start', 'spout.end', 'spout.one'], [rows]),
  ]
}

function makeNode(opType: string, inputs: readonly string[], outputs: readonly string[]): GraphNode {
  const bytes = concat([
    ...inputs.map((name) => bytesField(1, name)),
    ...outputs.map((name) => bytesField(2, name)),
    bytesField(3, outputs[0]!),
    bytesField(4, opType),
  ])
  return { opType, inputs, outputs, ints: {}, bytes }
}

/** `spout.one` serves as shape [1] and as axis 1. */
function constants(): Uint8Array[] {
  return [constant('spout.one', 1n), constant('spout.end', INT64_MAX)]
}

function constant(name: string, value: bigint): Uint8Array {
  const raw = Buffer.alloc(8)
  raw.writeBigInt64LE(value)
  return bytesField(5, [varintField(1, 1), varintField(2, INT64), bytesField(8, name), bytesField(9, raw)])
}

/** ValueInfoProto: a scalar of int64. */
function inputInfo(): Uint8Array {
  const tensorType = [varintField(1, INT64), bytesField(2, new Uint8Array(0))]
  return bytesField(11, [bytesField(1, NUM_LOGITS_TO_KEEP), bytesField(2, [bytesField(1, tensorType)])])
}
