/**
 * MatMulNBits computes with the accuracy its attribute asks for: 4 lets it multiply in int8, 0 and 1 in fp32. Many
 * 4-bit files carry 0 because their exporter did not know the attribute; their weights are no more exact for it.
 */
import type { Graph, GraphNode } from './graph-file.ts'
import { bytesField, bytesSource, concat, fieldsOf, textOf, varintField } from './wire.ts'

const INT8 = 4
const NODE_ATTRIBUTE = 5
const ATTRIBUTE = { name: 1, i: 3, type: 20 }
const ATTRIBUTE_INT = 2

/** The graph with every 4-bit product computed in int8. Returns the same graph when there is nothing to change. */
export function computeInInt8(graph: Graph): Graph {
  if (!graph.nodes.some(isSlow)) return graph
  return { ...graph, nodes: graph.nodes.map((node) => (isSlow(node) ? withInt8(node) : node)) }
}

function isSlow({ opType, ints }: GraphNode): boolean {
  return opType === 'MatMulNBits' && (ints.bits ?? 4) === 4 && (ints.accuracy_level ?? 0) < INT8
}

function withInt8(node: GraphNode): GraphNode {
  const source = bytesSource(node.bytes)
  const kept = [...fieldsOf(source)].filter((field) => {
    if (field.number !== NODE_ATTRIBUTE) return true
    const parts = [...fieldsOf(source, field.valueStart, field.end)]
    return !parts.some((part) => part.number === ATTRIBUTE.name && textOf(source, part) === 'accuracy_level')
  })
  const attribute = bytesField(NODE_ATTRIBUTE, [
    bytesField(ATTRIBUTE.name, 'accuracy_level'),
    varintField(ATTRIBUTE.i, INT8),
    varintField(ATTRIBUTE.type, ATTRIBUTE_INT),
  ])
  const bytes = concat([...kept.map((field) => node.bytes.subarray(field.start, field.end)), attribute])
  return { ...node, ints: { ...node.ints, accuracy_level: INT8 }, bytes }
}
