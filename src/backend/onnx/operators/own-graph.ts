/** A graph in which operators of ours do what they can. */
import type { Graph } from '../graph/graph.ts'
import { type PackedWeight, withOwnProducts } from '../products/own-products.ts'
import { distinctOperators, type OwnOperators } from './own-operators.ts'

export interface OwnGraph {
  readonly graph: Graph
  /** Of the products. */
  readonly weights: readonly PackedWeight[]
  /** `undefined`: none. */
  readonly operators: OwnOperators | undefined
}

/** The same graph where there is nothing that we compute. @param isStacked products of the same rows become one. */
export function withOwnOperators(graph: Graph, { isStacked = false } = {}): OwnGraph {
  const { graph: own, weights } = withOwnProducts(graph, { isStacked })
  return {
    graph: own,
    weights,
    operators: distinctOperators({ products: weights.map(({ shape }) => shape) }),
  }
}
