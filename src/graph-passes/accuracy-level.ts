/**
 * Matmuls of 4-bit weights in int8. `accuracy_level` of MatMulNBits says how coarse the computation may be: 0, as many
 * files have it, means fp32; 4 lets the rows be rounded to 8 bits a block, which the kernels multiply several times as fast.
 */
import { ATTRIBUTE, MICROSOFT, NODE } from '../onnx-file/fields.ts'
import type { Graph, GraphBody, GraphNode } from '../onnx-file/graph.ts'
import { intAttribute } from '../onnx-file/make-parts.ts'
import { withBodies } from '../onnx-file/read-body.ts'
import { bytesSource, concat, fieldsOf, textField } from '../onnx-file/wire.ts'

const ATTRIBUTE_NAME = 'accuracy_level'
const INT8 = 4

/** The graph with every 4-bit matmul in int8 whose level is left open; the same object when there is none. */
export function withInt8Matmuls(graph: Graph): Graph {
  const nodes = changedNodes(graph)
  return nodes === graph.nodes ? graph : { ...graph, nodes }
}

function changedNodes({ nodes }: GraphBody): readonly GraphNode[] {
  let changed: GraphNode[] | undefined
  for (const [i, node] of nodes.entries()) {
    const other = changedNode(node)
    if (other === node) continue
    changed ??= [...nodes]
    changed[i] = other
  }
  return changed ?? nodes
}

function changedNode(node: GraphNode): GraphNode {
  if (node.opType === 'MatMulNBits') return isChosen(node) ? node : withLevel(node)
  if (node.bodies.length === 0) return node
  const bodies = node.bodies.map((body) => {
    const nodes = changedNodes(body)
    return nodes === body.nodes ? body : { ...body, nodes }
  })
  return bodies.every((body, i) => body === node.bodies[i]) ? node : withBodies(node, bodies)
}

/**
 * A level that is given was chosen by who made the file. 8-bit weights stay as they are: who takes them wants them exact,
 * and some models have activations too large for 8 bits.
 */
function isChosen({ domain, ints }: GraphNode): boolean {
  return domain !== MICROSOFT || (ints.bits ?? 4) !== 4 || (ints[ATTRIBUTE_NAME] ?? 0) !== 0
}

function withLevel(node: GraphNode): GraphNode {
  const source = bytesSource(node.bytes)
  const kept = [...fieldsOf(source)].filter((field) => {
    return field.number !== NODE.attribute || textField(source, field, ATTRIBUTE.name) !== ATTRIBUTE_NAME
  })
  const level = intAttribute(ATTRIBUTE_NAME, INT8)
  const bytes = concat([...kept.map((field) => node.bytes.subarray(field.start, field.end)), level])
  return { ...node, ints: { ...node.ints, [ATTRIBUTE_NAME]: INT8 }, bytes }
}
