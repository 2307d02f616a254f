import { GRAPH, VALUE_INFO } from './fields.ts'
import type { Graph } from './graph.ts'
import { bytesSource, fieldsOf, textField } from './wire.ts'

/** The graph without one of its inputs, which no node may take any more. */
export function withoutInput(graph: Graph, name: string): Graph {
  const isInput = (bytes: Uint8Array): boolean => {
    const source = bytesSource(bytes)
    const [field] = fieldsOf(source)
    return field?.number === GRAPH.input && textField(source, field, VALUE_INFO.name) === name
  }
  return {
    ...graph,
    inputs: graph.inputs.filter((each) => each !== name),
    otherFields: graph.otherFields.filter((bytes) => !isInput(bytes)),
  }
}
