import { splitProducts } from '../../../graph-passes/split-products.ts'
import { stackProducts } from '../../../graph-passes/stack-products.ts'
import type { Graph } from '../../../onnx-file/graph.ts'

/** Products as a prepared model has them: small ones stacked, very large ones taken apart. The same graph when it has none. */
export function rearrange(graph: Graph): Graph {
  return splitProducts(stackProducts(graph))
}
