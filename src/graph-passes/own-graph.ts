/** A graph in which operators of ours do what they can. */

import type { KernelParts } from '../kernels/kernel-parts.ts'
import { distinctOperators } from '../kernels/operators.ts'
import type { Graph } from '../onnx-file/graph.ts'
import { hasOwnAttention, withOwnAttention } from './own-attention.ts'
import { hasOwnMatmuls, withOwnMatmuls } from './own-matmuls.ts'
import { withOwnNorms } from './own-norm.ts'

export interface OwnGraph {
  readonly graph: Graph
  /** `undefined`: nothing of it is ours. */
  readonly own: KernelParts | undefined
}

/** The same graph where there is nothing that we compute. @param isStacked matmuls of the same rows become one. */
export function withOwnOperators(graph: Graph, { isStacked = false } = {}): OwnGraph {
  const { graph: multiplied, weights } = withOwnMatmuls(graph, { isStacked })
  const { graph: attended, attentions } = withOwnAttention(multiplied, graph)
  // Alone they would gain nothing: the rest of the graph would still depend on the runtime's choice of instructions.
  const isWorthIt = weights.length + attentions.length > 0
  const { graph: own, norms } = isWorthIt ? withOwnNorms(attended) : { graph: attended, norms: [] }
  const matmuls = weights.map(({ shape }) => shape)
  const operators = distinctOperators({ matmuls, attentions, norms })
  return { graph: own, own: operators && { operators, weights } }
}

/** Whether a graph has something that we may compute. */
export function hasOwnOperators(graph: Graph): boolean {
  return hasOwnMatmuls(graph) || hasOwnAttention(graph)
}
