/** SwiGLU: gate · sigmoid(gate) · up of two quantized matmuls (MatMulNBits) of the same rows, as five nodes. */
import { type Graph, type GraphNode, producersOf, readersOf } from '../onnx-file/graph.ts'
import { innerNames } from '../onnx-file/unread.ts'
import { matmulOf, type QuantizedMatmul } from './quantized-matmul.ts'

interface SwigluFusion {
  /** Only matmuls that are; both of a pair. */
  readonly isFit: (matmul: QuantizedMatmul) => boolean
  /** The node that makes `output` of a pair; `undefined` leaves it as it is. */
  readonly makeSwiglu: (pair: GateAndUp, output: string) => GraphNode | undefined
}

interface GateAndUp {
  readonly gate: QuantizedMatmul
  readonly up: QuantizedMatmul
}

/** The graph with one node for each pair of gate and up; the same when there is none. */
export function fuseSwiglu(graph: Graph, { isFit, makeSwiglu }: SwigluFusion): Graph {
  const values = valuesOf(graph)
  const made = new Map<GraphNode, readonly GraphNode[]>()
  for (const node of graph.nodes) {
    const found = swigluOf(graph, values, node)
    if (found === undefined || !isFit(found.gate) || !isFit(found.up)) continue
    const fused = makeSwiglu(found, node.outputs[0]!)
    if (fused === undefined) continue
    for (const gone of found.inner) made.set(gone, [])
    made.set(node, [fused])
  }
  if (made.size === 0) return graph
  const added = [...made.values()].flatMap((nodes) => nodes.map(({ opType }) => opType))
  return {
    ...graph,
    nodes: graph.nodes.flatMap((node) => made.get(node) ?? [node]),
    opTypes: new Set([...graph.opTypes, ...added]),
  }
}

interface Values {
  readonly producers: ReadonlyMap<string, GraphNode>
  /** Whether so many nodes read it, and nobody else. */
  readonly isReadBy: (name: string, count: number) => boolean
}

function valuesOf(graph: Graph): Values {
  const readers = readersOf(graph)
  const others = new Set([...graph.outputs, ...innerNames(graph)])
  return {
    producers: producersOf(graph),
    isReadBy: (name, count) => readers.get(name)?.length === count && !others.has(name),
  }
}

interface Found extends GateAndUp {
  /** All nodes but the last. */
  readonly inner: readonly GraphNode[]
}

/** The pair whose last node this is. */
function swigluOf(graph: Graph, values: Values, last: GraphNode): Found | undefined {
  for (const [activated, upName] of factorsOf(last)) {
    const activation = activationOf(values, activated)
    if (activation === undefined || !values.isReadBy(upName, 1)) continue
    const [gate, up] = [activation.gate, upName].map((name) => {
      const node = values.producers.get(name)
      return node && matmulOf(graph, node)
    })
    if (gate === undefined || up === undefined || !areAlike(gate, up)) continue
    return { gate, up, inner: [...activation.nodes, gate.node, up.node] }
  }
  return undefined
}

interface Activation {
  readonly gate: string
  readonly nodes: readonly GraphNode[]
}

/** The gate of which a value is gate · sigmoid(gate). */
function activationOf({ producers, isReadBy }: Values, name: string): Activation | undefined {
  const matmul = producers.get(name)
  if (matmul === undefined || !isReadBy(name, 1)) return undefined
  for (const [gate, share] of factorsOf(matmul)) {
    const sigmoid = producers.get(share)
    const isSigmoid = sigmoid?.opType === 'Sigmoid' && sigmoid.domain === '' && sigmoid.inputs[0] === gate
    if (isSigmoid && isReadBy(share, 1) && isReadBy(gate, 2)) return { gate, nodes: [sigmoid, matmul] }
  }
  return undefined
}

/** What a node multiplies, in both orders. */
function factorsOf({ opType, domain, inputs }: GraphNode): readonly (readonly [string, string])[] {
  if (opType !== 'Mul' || domain !== '') return []
  const [a, b] = inputs as [string, string]
  return [
    [a, b],
    [b, a],
  ]
}

/** Of the same rows, with weights of the same kind and size. */
function areAlike(a: QuantizedMatmul, b: QuantizedMatmul): boolean {
  const sizes = ({ node, n }: QuantizedMatmul) => [node.ints.K, n, node.ints.bits, node.ints.block_size]
  return a.rows === b.rows && String(sizes(a)) === String(sizes(b))
}
