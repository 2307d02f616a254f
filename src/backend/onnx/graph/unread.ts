import type { Graph, GraphBody } from './graph.ts'
import { findInitializer } from './tensor-bytes.ts'

/** Without those of the names, from the product up, that nothing reads now: the runtime would load and transpose them. */
export function withoutUnread(graph: Graph, chain: readonly string[]): Graph {
  let rest = graph
  for (const name of chain) {
    if (isRead(rest, name) || rest.inputs.includes(name)) return rest
    const entry = findInitializer(rest, name)?.bytes
    const initializers = new Map(rest.initializers)
    initializers.delete(name)
    const nodes = rest.nodes.filter(({ outputs }) => !outputs.includes(name))
    rest = { ...rest, nodes, initializers, rest: rest.rest.filter((bytes) => bytes !== entry) }
  }
  return rest
}

function isRead({ nodes, outputs }: GraphBody, name: string): boolean {
  return (
    outputs.includes(name) ||
    nodes.some(({ inputs, bodies }) => inputs.includes(name) || bodies.some((body) => isRead(body, name)))
  )
}
