/**
 * Quantized matmuls (MatMulNBits) of the same rows, stacked into one: gate and up of an MLP; query, key and value. Each
 * matmul of a step costs some microseconds beside its work, which is much where matmuls are small. No number changes.
 */
import { INT64, MICROSOFT } from '../onnx-file/fields.ts'
import { type Graph, type GraphNode, readersOf } from '../onnx-file/graph.ts'
import { makeInitializer, makeNode, withInputs } from '../onnx-file/make-parts.ts'
import { matmulLike, matmulOf, type QuantizedMatmul } from './quantized-matmul.ts'

/** Bytes of quantized weights in one stack: beside more work than this, what a matmul costs is nothing. */
const MOST_BYTES = 8e6

/** The same graph when there is nothing to stack. */
export function stackMatmuls(graph: Graph, mostBytes = MOST_BYTES): Graph {
  return stackWith(graph, {
    mostBytes,
    makeMatmul: (group, output) => (group.length > 1 ? withStackedWeights(group, output) : undefined),
  })
}

/** How matmuls are stacked. */
interface Stacking {
  /** Only these; all unless told otherwise. */
  readonly isFit?: (matmul: QuantizedMatmul) => boolean
  /** Of the weights of one stack; 0: none is stacked. */
  readonly mostBytes?: number | undefined
  /** The nodes that make the matmuls of a group, side by side, in `output`; `undefined` leaves them as they are. */
  readonly makeMatmul: (group: readonly QuantizedMatmul[], output: string) => readonly GraphNode[] | undefined
}

/** The graph with its matmuls made anew, in stacks where they are of the same rows; else one by one. */
export function stackWith(graph: Graph, stacking: Stacking): Graph {
  const readers = readersOf(graph)
  const stacked = new Map<GraphNode, Stack>()
  for (const group of groupsOf(graph, stacking)) {
    const stack = makeStack(group, attentionOf(group, readers), stacking)
    if (stack === undefined) continue
    stacked.set(group[0]!.node, stack)
    for (const { node } of group.slice(1)) stacked.set(node, { nodes: [], otherFields: [] })
  }
  if (stacked.size === 0) return graph
  const made = [...stacked.values()]
  const attentions = new Map(made.flatMap(({ attention }) => (attention ? [attention] : [])))
  const nodes = graph.nodes.flatMap((node) => stacked.get(node)?.nodes ?? [attentions.get(node) ?? node])
  return {
    ...graph,
    nodes,
    otherFields: [...graph.otherFields, ...made.flatMap((stack) => stack.otherFields)],
    opTypes: new Set([...graph.opTypes, ...made.flatMap((stack) => stack.nodes.map(({ opType }) => opType))]),
  }
}

/** Matmuls of the same rows together, where they are not too large; each of the others alone. */
function groupsOf(
  graph: Graph,
  { isFit = () => true, mostBytes = MOST_BYTES }: Stacking,
): readonly (readonly QuantizedMatmul[])[] {
  const outputs = new Set(graph.outputs)
  const groups = new Map<string, QuantizedMatmul[]>()
  for (const node of graph.nodes) {
    const matmul = matmulOf(graph, node)
    if (matmul === undefined || !isFit(matmul)) continue
    const [name] = node.outputs as [string]
    const key = outputs.has(name) ? name : stackKey(graph, matmul)
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [matmul])
    else group.push(matmul)
  }
  return [...groups.values()].flatMap((group) => {
    const isSmall = group.reduce((sum, { bytes }) => sum + bytes, 0) <= mostBytes
    return isSmall ? [group] : group.map((matmul) => [matmul])
  })
}

/** Matmuls of one key have the same rows, and weights that differ in nothing but the number of columns. */
function stackKey(graph: Graph, { node, rows, weights }: QuantizedMatmul): string {
  const { N: _, ...ints } = node.ints
  const shapes = weights.map((name) => {
    const { type, dims } = graph.initializers.get(name)!
    return [type, ...(dims.length > 1 ? dims.slice(1) : [])]
  })
  return JSON.stringify([rows, Object.entries(ints).sort(), shapes])
}

interface Stack {
  readonly nodes: readonly GraphNode[]
  readonly otherFields: readonly Uint8Array[]
  /** An attention that takes the stack as it is, and what it becomes. */
  readonly attention?: readonly [GraphNode, GraphNode]
}

function makeStack(
  group: readonly QuantizedMatmul[],
  attention: GraphNode | undefined,
  { makeMatmul }: Stacking,
): Stack | undefined {
  const [output] = group[0]!.node.outputs as [string]
  if (group.length === 1) {
    const nodes = makeMatmul(group, output)
    return nodes && { nodes, otherFields: [] }
  }
  const base = `spout.stack.${output}`
  const nodes = makeMatmul(group, base)
  if (nodes === undefined) return undefined
  if (attention !== undefined)
    return { nodes, otherFields: [], attention: [attention, packed(attention, base)] }
  const sizes = BigInt64Array.from(group, (each) => BigInt(each.n))
  const raw = new Uint8Array(sizes.buffer)
  const split = makeNode('Split', {
    inputs: [base, `${base}.sizes`],
    outputs: group.map(({ node }) => node.outputs[0]!),
    ints: { axis: -1 },
  })
  return {
    nodes: [...nodes, split],
    otherFields: [makeInitializer(`${base}.sizes`, { type: INT64, dims: [group.length], raw })],
  }
}

/** The runtime stacks the weights, constants that they are, when it optimizes the graph. */
function withStackedWeights(group: readonly QuantizedMatmul[], output: string): readonly GraphNode[] {
  const [first] = group as [QuantizedMatmul]
  const whole = first.weights.map((_, i) => {
    const inputs = group.map(({ weights }) => weights[i]!)
    return makeNode('Concat', { inputs, outputs: [`${output}.${i}`], ints: { axis: 0 } })
  })
  const weights = whole.map(({ outputs }) => outputs[0]!)
  const n = group.reduce((sum, matmul) => sum + matmul.n, 0)
  return [...whole, matmulLike(first.node, { weights, n, output })]
}

/** The attention that takes the matmuls of a group, and nobody else, as its query, key and value. */
function attentionOf(
  group: readonly QuantizedMatmul[],
  readers: ReadonlyMap<string, readonly GraphNode[]>,
): GraphNode | undefined {
  const names = group.map(({ node }) => node.outputs[0]!)
  const [reader] = readers.get(names[0]!) ?? []
  const isAttention =
    reader?.opType === 'GroupQueryAttention' && reader.domain === MICROSOFT && names.length === 3
  if (!isAttention || names.some((name, i) => reader.inputs[i] !== name)) return undefined
  return names.every((name) => readers.get(name)!.length === 1) ? reader : undefined
}

/** GroupQueryAttention over query, key and value in one. */
function packed(attention: GraphNode, name: string): GraphNode {
  return withInputs(attention, [name, '', '', ...attention.inputs.slice(3)])
}
