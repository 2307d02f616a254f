import type { Graph, GraphBody } from './graph.ts'
import { findInitializer } from './tensor-bytes.ts'

/** Without those of the names, from the matmul up, that nothing reads now: the runtime would load and transpose them. */
export function withoutUnread(graph: Graph, chain: readonly string[]): Graph {
  let rest = graph
  for (const name of chain) {
    if (readNames(rest).has(name) || rest.inputs.includes(name)) return rest
    const entry = findInitializer(rest, name)?.bytes
    const initializers = new Map(rest.initializers)
    initializers.delete(name)
    const nodes = rest.nodes.filter(({ outputs }) => !outputs.includes(name))
    rest = { ...rest, nodes, initializers, rest: rest.rest.filter((bytes) => bytes !== entry) }
  }
  return rest
}

/** Without those initializers of the names that nothing reads. */
export function withoutUnreadWeights(graph: Graph, names: ReadonlySet<string>): Graph {
  const read = readNames(graph)
  const gone = new Set([...names].filter((name) => !read.has(name) && !graph.inputs.includes(name)))
  const entries = new Set([...gone].map((name) => findInitializer(graph, name)?.bytes))
  const initializers = new Map([...graph.initializers].filter(([name]) => !gone.has(name)))
  return { ...graph, initializers, rest: graph.rest.filter((bytes) => !entries.has(bytes)) }
}

/** What is taken by nodes in bodies within the graph. */
export function innerNames({ nodes }: GraphBody): ReadonlySet<string> {
  const read = new Set<string>()
  for (const { bodies } of nodes) for (const body of bodies) readNames(body, read)
  return read
}

/** What a body gives or its nodes take, those in bodies within it as well. */
function readNames({ nodes, outputs }: GraphBody, read = new Set<string>()): ReadonlySet<string> {
  for (const name of outputs) read.add(name)
  for (const { inputs, bodies } of nodes) {
    for (const name of inputs) read.add(name)
    for (const body of bodies) readNames(body, read)
  }
  return read
}
