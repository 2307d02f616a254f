import { GRAPH, VALUE_INFO } from './fields.ts'
import type { Graph } from './graph.ts'
import { bytesSource, fieldsOf, textField } from './wire.ts'

/** The graph without one of its inputs, which no node may take any more. */
export function withoutInput(graph: Graph, name: string): Graph {
  return withoutValues(graph, { inputs: new Set([name]) })
}

const NONE: ReadonlySet<string> = new Set()

/** The graph without some inputs, which no node may take any more, and without some outputs. */
export function withoutValues(
  graph: Graph,
  {
    inputs,
    outputs = NONE,
  }: { readonly inputs: ReadonlySet<string>; readonly outputs?: ReadonlySet<string> },
): Graph {
  const isOne = (bytes: Uint8Array): boolean => {
    const source = bytesSource(bytes)
    const [field] = fieldsOf(source)
    const names = field?.number === GRAPH.input ? inputs : field?.number === GRAPH.output ? outputs : NONE
    return names.size > 0 && names.has(textField(source, field!, VALUE_INFO.name))
  }
  return {
    ...graph,
    inputs: graph.inputs.filter((each) => !inputs.has(each)),
    outputs: graph.outputs.filter((each) => !outputs.has(each)),
    otherFields: graph.otherFields.filter((bytes) => !isOne(bytes)),
  }
}
