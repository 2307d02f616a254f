/** A bias that a matmul adds by itself becomes a node of its own, so that the matmul is one that we compute. */
import { MICROSOFT } from '../onnx-file/fields.ts'
import type { Graph, GraphNode } from '../onnx-file/graph.ts'
import { makeNode } from '../onnx-file/make-parts.ts'
import { matmulOf, type QuantizedMatmul } from './quantized-matmul.ts'

/** Among the inputs of MatMulNBits: after the rows, codes, scales, zero points and groups. */
const BIAS = 5

/** @param isFit whether a matmul is worth it, told without its bias */
export function splitBiases(graph: Graph, isFit: (matmul: QuantizedMatmul) => boolean): Graph {
  let isSame = true
  const nodes = graph.nodes.flatMap((node) => {
    const parts = partsOf(graph, node, isFit)
    if (parts !== undefined) isSame = false
    return parts ?? [node]
  })
  return isSame ? graph : { ...graph, nodes, opTypes: new Set([...graph.opTypes, 'Add']) }
}

function partsOf(
  graph: Graph,
  node: GraphNode,
  isFit: (matmul: QuantizedMatmul) => boolean,
): GraphNode[] | undefined {
  const bias = node.inputs[BIAS] ?? ''
  if (node.opType !== 'MatMulNBits' || node.domain !== MICROSOFT || bias === '') return undefined
  const [output] = node.outputs as [string]
  const plain = makeNode('MatMulNBits', {
    inputs: node.inputs.slice(0, BIAS),
    outputs: [`spout.unbiased.${output}`],
    domain: MICROSOFT,
    ints: node.ints,
  })
  const matmul = matmulOf(graph, plain)
  if (matmul === undefined || !isFit(matmul)) return undefined
  return [plain, makeNode('Add', { inputs: [plain.outputs[0]!, bias], outputs: [output] })]
}
