/** A graph in which operators of ours do what they can. */

import { distinctOperators, type OwnOperators } from '../../../kernels/operators.ts'
import type { Graph } from '../../../onnx-file/graph.ts'
import { hasOwnAttention, withOwnAttention } from './own-attention.ts'
import { hasOwnProducts, type PackedWeight, withOwnProducts } from './own-products.ts'

export interface OwnGraph {
  readonly graph: Graph
  /** Of the products. */
  readonly weights: readonly PackedWeight[]
  /** `undefined`: none. */
  readonly operators: OwnOperators | undefined
}

/** The same graph where there is nothing that we compute. @param isStacked products of the same rows become one. */
export function withOwnOperators(graph: Graph, { isStacked = false } = {}): OwnGraph {
  const { graph: multiplied, weights } = withOwnProducts(graph, { isStacked })
  const { graph: own, attentions } = withOwnAttention(multiplied, graph)
  const products = weights.map(({ shape }) => shape)
  return { graph: own, weights, operators: distinctOperators({ products, attentions }) }
}

/** Whether a graph has something that we may compute. */
export function hasOwnOperators(graph: Graph): boolean {
  return hasOwnProducts(graph) || hasOwnAttention(graph)
}
