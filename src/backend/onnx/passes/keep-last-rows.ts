/**
 * Logits of the last positions only. The head (`lm_head`) costs as much as several layers and its output is
 * prompt × vocabulary × 4 bytes; only the last row is ever used. Graphs that know this have an input
 * `num_logits_to_keep` (0 = all rows); the others get the same input: the hidden rows are sliced before the head.
 */
import { INT64 } from '../../../onnx-file/fields.ts'
import { type Graph, type GraphBody, type GraphNode, producersOf } from '../../../onnx-file/graph.ts'
import { makeInitializer, makeInput, makeNode, withFirstInput } from '../../../onnx-file/make-parts.ts'
import { withBodies } from '../../../onnx-file/read-body.ts'

export const NUM_LOGITS_TO_KEEP = 'num_logits_to_keep'
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

/** How many steps are walked: from the logits up to the head, and from a weight up to the constants it is made of. */
const HEAD_STEPS = 12
const WEIGHT_STEPS = 8

/** The graph with the input `num_logits_to_keep`, or `undefined` when its head is not one we recognise. */
export function keepLastRows(graph: Graph): Graph | undefined {
  if (graph.inputs.includes(NUM_LOGITS_TO_KEEP)) return graph
  const patched = cutBeforeHead(graph, { logits: 'logits', rows: 'spout.last_rows', cut: sliceOf })
  if (patched === undefined) return undefined
  return {
    ...graph,
    nodes: [...startNodes(), ...patched.nodes],
    inputs: [...graph.inputs, NUM_LOGITS_TO_KEEP],
    rest: [...graph.rest, ...constants(), makeInput(NUM_LOGITS_TO_KEEP, { type: INT64, dims: [] })],
  }
}

/**
 * The graph with logits of the last position alone, without a new input: what is asked for at run time would be computed on
 * the CPU, also where all else is not. `undefined` when the head is not one we recognise.
 */
export function keepLastRow(graph: Graph): Graph | undefined {
  if (graph.inputs.includes(NUM_LOGITS_TO_KEEP)) return undefined
  const patched = cutBeforeHead(graph, { logits: 'logits', rows: 'spout.last_row', cut: lastOf })
  if (patched === undefined) return undefined
  const initializers = new Map(graph.initializers).set(LAST_ROW, { type: INT64, dims: [1], scalar: -1 })
  return { ...graph, nodes: patched.nodes, initializers, rest: [...graph.rest, constant(LAST_ROW, -1n)] }
}

interface HeadCut {
  readonly logits: string
  /** The name of the rows that are left. */
  readonly rows: string
  /** Makes `rows` of the hidden rows. */
  readonly cut: (hidden: string, rows: string) => GraphNode
}

/** The number of the last row, in a graph that gives logits of no other. */
export const LAST_ROW = 'spout.last'

const sliceOf: HeadCut['cut'] = (hidden, rows) =>
  makeNode('Slice', { inputs: [hidden, 'spout.start', 'spout.end', 'spout.one'], outputs: [rows] })

const lastOf: HeadCut['cut'] = (hidden, rows) =>
  makeNode('Gather', { inputs: [hidden, LAST_ROW], outputs: [rows], ints: { axis: 1 } })

/** @param isOuterConstant about names of the graph around this one. */
function cutBeforeHead(
  body: GraphBody,
  { logits, rows, cut }: HeadCut,
  isOuterConstant: (name: string) => boolean = () => false,
): GraphBody | undefined {
  const isConstant = constantTest(body, isOuterConstant)
  const last = producersOf(body).get(logits)
  if (last?.opType === 'If') return cutInBranches(body, last, { logits, rows, cut }, isConstant)
  const head = findHead(body, logits, isConstant)
  if (head === undefined) return undefined
  const kept = cut(head.inputs[0]!, rows)
  const patched = withFirstInput(head, rows)
  return { ...body, nodes: body.nodes.flatMap((node) => (node === head ? [kept, patched] : [node])) }
}

/** Merged decoders are an If of two whole graphs; both are cut, or none. */
function cutInBranches(
  body: GraphBody,
  node: GraphNode,
  { logits, rows, cut }: HeadCut,
  isConstant: (name: string) => boolean,
): GraphBody | undefined {
  const at = node.outputs.indexOf(logits)
  const bodies = node.bodies.map((branch, i) =>
    cutBeforeHead(branch, { logits: branch.outputs[at] ?? '', rows: `${rows}.${i}`, cut }, isConstant),
  )
  if (bodies.length === 0 || bodies.includes(undefined)) return undefined
  const patched = withBodies(node, bodies as GraphBody[])
  return { ...body, nodes: body.nodes.map((each) => (each === node ? patched : each)) }
}

/** Walks from the logits up to the product with a constant weight that makes them. */
export function findHead(
  body: GraphBody,
  logits: string,
  isConstant: (name: string) => boolean = constantTest(body, () => false),
): GraphNode | undefined {
  const producers = producersOf(body)
  const seen = new Set<string>()
  const search = (name: string, steps: number): GraphNode | undefined => {
    const node = producers.get(name)
    if (node === undefined || steps === 0 || seen.has(name)) return undefined
    seen.add(name)
    if (PRODUCTS.has(node.opType)) return isConstant(node.inputs[1] ?? '') ? node : undefined
    if (!ROW_BY_ROW.has(node.opType)) return undefined
    // Beside the rows there may be a scale computed at run time (dynamic int8): take the input that has a product.
    for (const input of node.inputs) {
      const found = isConstant(input) ? undefined : search(input, steps - 1)
      if (found !== undefined) return found
    }
    return undefined
  }
  return search(logits, HEAD_STEPS)
}

/** Whether a value is made of constants alone, as a transposed or dequantized weight is. */
function constantTest(
  body: GraphBody,
  isOuterConstant: (name: string) => boolean,
): (name: string) => boolean {
  const producers = producersOf(body)
  const known = new Map<string, boolean>()
  const test = (name: string, steps: number): boolean => {
    const producer = producers.get(name)
    if (name === '' || body.initializers.has(name) || producer?.opType === 'Constant') return true
    if (producer === undefined) return !body.inputs.includes(name) && isOuterConstant(name)
    const before = known.get(name)
    if (before !== undefined) return before
    if (steps === 0 || producer.bodies.length > 0) return false
    known.set(name, false)
    const answer = producer.inputs.every((input) => test(input, steps - 1))
    known.set(name, answer)
    return answer
  }
  return (name) => test(name, WEIGHT_STEPS)
}

/** rows = hidden[:, -keep:, :]; keep = 0 gives the slice from 0, all rows. */
function startNodes(): GraphNode[] {
  return [
    makeNode('Neg', { inputs: [NUM_LOGITS_TO_KEEP], outputs: ['spout.start_scalar'] }),
    makeNode('Reshape', { inputs: ['spout.start_scalar', 'spout.one'], outputs: ['spout.start'] }),
  ]
}

/** `spout.one` serves as shape [1] and as axis 1. */
function constants(): Uint8Array[] {
  return [constant('spout.one', 1n), constant('spout.end', INT64_MAX)]
}

function constant(name: string, value: bigint): Uint8Array {
  const raw = Buffer.alloc(8)
  raw.writeBigInt64LE(value)
  return makeInitializer(name, { type: INT64, dims: [1], raw })
}
