/** A graph in which operators of ours do what they can. */

import type { KernelParts } from '../kernels/kernel-parts.ts'
import { distinctOperators } from '../kernels/operators.ts'
import type { Graph } from '../onnx-file/graph.ts'
import { keepWantedRows } from './keep-last-rows.ts'
import { hasOwnAttention, withOwnAttention } from './own-attention.ts'
import { hasOwnMatmuls, withOwnMatmuls } from './own-matmuls.ts'
import { withOwnNorms } from './own-norm.ts'
import { type RowUse, rowUse } from './row-by-row.ts'

export interface OwnGraph {
  readonly graph: Graph
  /** `undefined`: nothing of it is ours. */
  readonly own: KernelParts | undefined
  /** Of a graph with attention of ours: whether its rows may be of several sequences. */
  readonly rows?: RowUse
}

/** The same graph where there is nothing that we compute. @param isStacked matmuls of the same rows become one. */
export function withOwnOperators(graph: Graph, { isStacked = false } = {}): OwnGraph {
  // First: of the matmuls before it, as they are in the file, it learns the size of a head.
  const { graph: attended, attentions } = withOwnAttention(graph)
  const { graph: multiplied, weights } = withOwnMatmuls(withWantedRows(attended, attentions.length), {
    isStacked,
  })
  // Alone they would gain nothing: the rest of the graph would still depend on the runtime's choice of instructions.
  const isWorthIt = weights.length + attentions.length > 0
  const { graph: own, norms } = isWorthIt ? withOwnNorms(multiplied) : { graph: multiplied, norms: [] }
  const matmuls = weights.map(({ shape }) => shape)
  const operators = distinctOperators({ matmuls, attentions, norms })
  const parts = operators && { operators, weights }
  return attentions.length === 0 ? { graph: own, own: parts } : { graph: own, own: parts, rows: rowUse(own) }
}

/** Where rows of several sequences may be in a run, those whose logits are wanted are not the last ones. */
function withWantedRows(graph: Graph, attentions: number): Graph {
  const wanted = attentions > 0 ? keepWantedRows(graph) : undefined
  return wanted === undefined || rowUse(wanted) === 'mixed' ? graph : wanted
}

/** Whether a graph has something that we may compute. */
export function hasOwnOperators(graph: Graph): boolean {
  return hasOwnMatmuls(graph) || hasOwnAttention(graph)
}
