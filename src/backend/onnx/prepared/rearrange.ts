import { splitMatmuls } from '../../../graph-passes/split-matmuls.ts'
import { stackMatmuls } from '../../../graph-passes/stack-matmuls.ts'
import type { Graph } from '../../../onnx-file/graph.ts'

/** Matmuls as a prepared model has them: small ones stacked, very large ones taken apart. The same graph when it has none. */
export function rearrange(graph: Graph): Graph {
  return splitMatmuls(stackMatmuls(graph))
}
