import type { Graph } from '../../../onnx-file/graph.ts'
import { splitProducts } from '../passes/split-products.ts'
import { stackProducts } from '../passes/stack-products.ts'

/** Products as a prepared model has them: small ones stacked, very large ones taken apart. The same graph when it has none. */
export function rearrange(graph: Graph): Graph {
  return splitProducts(stackProducts(graph))
}
