import { constantOf, type Graph, type GraphNode } from './graph.ts'

/**
 * The head size as an attention's own projection has it: its width is heads × head size, or (query heads + 2 × key heads) × head
 * size where that is one matmul for query, key and value. Layers may differ in it.
 */
export function projectedHeadDim(
  graph: Graph,
  producers: ReadonlyMap<string, GraphNode>,
  attention: GraphNode,
): number | undefined {
  const { num_heads: heads = 0, kv_num_heads: kvHeads = 0 } = attention.ints
  const [query, key = ''] = attention.inputs
  let matmul = producers.get(query ?? '')
  if (matmul?.opType === 'Add') matmul = producers.get(matmul.inputs[0] ?? '')
  const width = matmul?.ints.N ?? constantOf(graph, producers, matmul?.inputs[1] ?? '')?.dims[1]
  const headDim = (width ?? 0) / (key === '' ? heads + 2 * kvHeads : heads)
  return Number.isInteger(headDim) && headDim > 0 ? headDim : undefined
}
