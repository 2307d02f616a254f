/** Matmuls of quantized weights (MatMulNBits), as nodes of a graph. */
import { MICROSOFT } from '../onnx-file/fields.ts'
import type { Graph, GraphNode } from '../onnx-file/graph.ts'
import { makeNode } from '../onnx-file/make-parts.ts'
import { tensorBytes } from '../onnx-file/weight-bytes.ts'

/** The inputs of MatMulNBits after the first that have a row for each column of the matmul: codes, scales, zero points. */
const WEIGHT_INPUTS = 3

export interface QuantizedMatmul {
  readonly node: GraphNode
  readonly rows: string
  readonly n: number
  readonly weights: readonly string[]
  /** Bytes of the codes. */
  readonly bytes: number
}

/** The matmul of a node whose weights are constants of the graph and nothing else is added or gathered. */
export function matmulOf(graph: Graph, node: GraphNode): QuantizedMatmul | undefined {
  if (node.opType !== 'MatMulNBits' || node.domain !== MICROSOFT) return undefined
  const [rows, ...others] = node.inputs as [string, ...string[]]
  const weights = others.slice(0, WEIGHT_INPUTS).filter((name) => name !== '')
  const n = node.ints.N ?? 0
  const isPlain = others.every((name, i) => name === '' || i < WEIGHT_INPUTS)
  // An initializer that is an input as well may be given another value.
  const areConstants = weights.every((name) => graph.initializers.has(name) && !graph.inputs.includes(name))
  if (!isPlain || !areConstants || n <= 0 || (node.ints.weight_prepacked ?? 0) !== 0) return undefined
  return { node, rows, n, weights, bytes: tensorBytes(graph.initializers.get(weights[0]!)!) }
}

/** The matmul with other weights; without zero points where it had none. */
export function matmulLike(
  { inputs, ints }: GraphNode,
  { weights, n, output }: { weights: readonly string[]; n: number; output: string },
): GraphNode {
  return makeNode('MatMulNBits', {
    inputs: [inputs[0]!, ...weights],
    outputs: [output],
    domain: MICROSOFT,
    ints: { ...ints, N: n },
  })
}
