/**
 * Quantized products (MatMulNBits) of the same rows, stacked into one: gate and up of an MLP; query, key and value. Each
 * product of a step costs some microseconds beside its work, which is much where products are small. No number changes.
 */
import { INT64, MICROSOFT } from './fields.ts'
import { type Graph, type GraphNode, readersOf } from './graph.ts'
import { makeInitializer, makeNode, withInputs } from './make-parts.ts'
import { type Product, productLike, productOf } from './quantized-product.ts'

/** Bytes of quantized weights in one stack: beside more work than this, what a product costs is nothing. */
const MOST_BYTES = 8e6

/** The same graph when there is nothing to stack. */
export function stackProducts(graph: Graph, mostBytes = MOST_BYTES): Graph {
  const outputs = new Set(graph.outputs)
  const groups = new Map<string, Product[]>()
  for (const node of graph.nodes) {
    const product = productOf(graph, node)
    if (product === undefined || outputs.has(node.outputs[0]!)) continue
    const key = stackKey(graph, product)
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [product])
    else group.push(product)
  }
  const stacked = new Map<GraphNode, Stack>()
  const readers = readersOf(graph)
  for (const group of groups.values()) {
    if (group.length < 2 || group.reduce((sum, { bytes }) => sum + bytes, 0) > mostBytes) continue
    stacked.set(group[0]!.node, makeStack(group, attentionOf(group, readers)))
    for (const { node } of group.slice(1)) stacked.set(node, { nodes: [], rest: [] })
  }
  if (stacked.size === 0) return graph
  const attentions = new Map([...stacked.values()].flatMap(({ attention }) => (attention ? [attention] : [])))
  const made = [...stacked.values()]
  return {
    ...graph,
    nodes: graph.nodes.flatMap((node) => stacked.get(node)?.nodes ?? [attentions.get(node) ?? node]),
    rest: [...graph.rest, ...made.flatMap(({ rest }) => rest)],
    opTypes: new Set([...graph.opTypes, 'Concat', 'Split']),
  }
}

/** Products of one key have the same rows, and weights that differ in nothing but the number of columns. */
function stackKey(graph: Graph, { node, rows, weights }: Product): string {
  const { N: _, ...ints } = node.ints
  const shapes = weights.map((name) => {
    const { type, dims } = graph.initializers.get(name)!
    return [type, ...(dims.length > 1 ? dims.slice(1) : [])]
  })
  return JSON.stringify([rows, Object.entries(ints).sort(), shapes])
}

interface Stack {
  readonly nodes: readonly GraphNode[]
  readonly rest: readonly Uint8Array[]
  /** An attention that takes the stack as it is, and what it becomes. */
  readonly attention?: readonly [GraphNode, GraphNode]
}

/** The runtime stacks the weights, constants that they are, when it optimizes the graph. */
function makeStack(group: readonly Product[], attention: GraphNode | undefined): Stack {
  const [first] = group as [Product]
  const base = `spout.stack.${first.node.outputs[0]}`
  const whole = first.weights.map((_, i) => {
    const inputs = group.map(({ weights }) => weights[i]!)
    return makeNode('Concat', { inputs, outputs: [`${base}.${i}`], ints: { axis: 0 } })
  })
  const n = group.reduce((sum, product) => sum + product.n, 0)
  const product = productLike(first.node, {
    weights: whole.map(({ outputs }) => outputs[0]!),
    n,
    output: base,
  })
  if (attention !== undefined) {
    return { nodes: [...whole, product], rest: [], attention: [attention, packed(attention, base)] }
  }
  const sizes = BigInt64Array.from(group, (each) => BigInt(each.n))
  const raw = new Uint8Array(sizes.buffer)
  const split = makeNode('Split', {
    inputs: [base, `${base}.sizes`],
    outputs: group.map(({ node }) => node.outputs[0]!),
    ints: { axis: -1 },
  })
  return {
    nodes: [...whole, product, split],
    rest: [makeInitializer(`${base}.sizes`, { type: INT64, dims: [group.length], raw })],
  }
}

/** The attention that takes the products of a group, and nobody else, as its query, key and value. */
function attentionOf(
  group: readonly Product[],
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
