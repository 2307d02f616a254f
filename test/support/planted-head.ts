import { FLOAT } from '../../src/onnx-file/fields.ts'
import type { Graph } from '../../src/onnx-file/graph.ts'
import { makeInitializer, makeNode } from '../../src/onnx-file/make-parts.ts'
import { tensorSlices } from '../../src/onnx-file/tensor-bytes.ts'

const K = 192
const N = 2560

/**
 * The embedded model's fp32 graph with a head of its own that 8 bits cannot hold: one input of each block of 32 weighs
 * far more than the others, the same for every id, so that it moves all logits alike and the answers stay what they are.
 */
export function withPlantedHead(graph: Graph): Graph {
  const [bytes] = tensorSlices(graph, 'model.embed_tokens.weight', K * N * 4)
  const rows = new Float32Array(bytes!.buffer)
  const planted = rows.map((weight, i) => (i % 32 === 0 ? weight + 100 : weight))
  const raw = new Uint8Array(planted.buffer)
  const transpose = makeNode('Transpose', { inputs: ['planted'], outputs: ['planted.t'] })
  const matmul = makeNode('MatMul', {
    inputs: [graph.nodes.at(-1)!.inputs[0]!, 'planted.t'],
    outputs: ['logits'],
  })
  return {
    ...graph,
    nodes: [...graph.nodes.slice(0, -2), transpose, matmul],
    initializers: new Map([
      ...graph.initializers,
      ['planted', { type: FLOAT, dims: [N, K], scalar: undefined }],
    ]),
    otherFields: [...graph.otherFields, makeInitializer('planted', { type: FLOAT, dims: [N, K], raw })],
  }
}
