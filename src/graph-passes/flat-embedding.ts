/**
 * A 4-bit embedding that is tied to the head is one tensor read twice: by the head as [rows, blocks, bytes], and through a
 * `Reshape` to [rows, blocks × bytes] by the gather of the embedding. ONNX Runtime computes that `Reshape` of a constant
 * once, into a copy of the whole tensor. Here the second shape becomes a tensor of its own over the same bytes of the file.
 */
import { MICROSOFT } from '../onnx-file/fields.ts'
import { type Graph, type GraphNode, readersOf } from '../onnx-file/graph.ts'
import { makeReference, withFirstInput } from '../onnx-file/make-parts.ts'
import { findInitializer } from '../onnx-file/tensor-bytes.ts'
import { innerNames } from '../onnx-file/unread.ts'

/** The same graph when it has no such embedding. */
export function flattenEmbedding(graph: Graph): Graph {
  const readers = readersOf(graph)
  const others = new Set([...graph.outputs, ...innerNames(graph)])
  const found = graph.nodes.find((node) => {
    return !others.has(node.outputs[0]!) && isFlattening(graph, node, readers.get(node.outputs[0]!) ?? [])
  })
  if (found === undefined) return graph
  const [weight] = found.inputs
  const flat = `spout.flat.${weight}`
  const tensor = flatTensor(graph, weight!, flat)
  if (tensor === undefined) return graph
  const [gather] = readers.get(found.outputs[0]!)!
  const nodes = graph.nodes.filter((node) => node !== found)
  return {
    ...graph,
    nodes: nodes.map((node) => (node === gather ? withFirstInput(node, flat) : node)),
    otherFields: [...graph.otherFields, tensor],
  }
}

/** A reshape of three axes to two, for one gather along the first, whose scales have a row for each of its rows. */
function isFlattening(graph: Graph, node: GraphNode, readers: readonly GraphNode[]): boolean {
  if (node.opType !== 'Reshape' || node.domain !== '' || readers.length !== 1) return false
  const weight = graph.initializers.get(node.inputs[0]!)
  const shape = graph.initializers.get(node.inputs[1]!)
  const [gather] = readers
  const isGather =
    gather?.opType === 'GatherBlockQuantized' &&
    gather.domain === MICROSOFT &&
    (gather.ints.gather_axis ?? 0) === 0 &&
    // Along the rows there would be fewer scales than rows, and as many of them would prove nothing of the new shape.
    (gather.ints.quantize_axis ?? 1) === 1
  if (!isGather || gather.inputs[0] !== node.outputs[0]) return false
  const scales = graph.initializers.get(gather.inputs[2] ?? '')
  return (
    weight?.dims.length === 3 &&
    shape?.dims[0] === 2 &&
    scales?.dims.length === 2 &&
    scales.dims[0] === weight.dims[0]
  )
}

/** The initializer over again, under another name and as [rows, the rest]; `undefined` when its bytes lie in the graph. */
function flatTensor(graph: Graph, name: string, flat: string): Uint8Array | undefined {
  const [rows = 0, ...others] = graph.initializers.get(name)!.dims
  const found = findInitializer(graph, name)
  if (found?.parts.external.location === undefined) return undefined
  const dims = [rows, others.reduce((a, b) => a * b, 1)]
  return makeReference(flat, { type: found.parts.facts.type, dims }, found.parts.external)
}
