import { type Graph, type GraphBody, type GraphNode, readersOf } from './graph.ts'
import { findInitializer } from './tensor-bytes.ts'

/** Without those of the names, from the matmul up, that nothing reads now: the runtime would load and transpose them. */
export function withoutUnread(graph: Graph, chain: readonly string[]): Graph {
  let left = graph
  for (const name of chain) {
    if (readNames(left).has(name) || left.inputs.includes(name)) return left
    const entry = findInitializer(left, name)?.bytes
    const initializers = new Map(left.initializers)
    initializers.delete(name)
    const nodes = left.nodes.filter(({ outputs }) => !outputs.includes(name))
    const otherFields = left.otherFields.filter((bytes) => bytes !== entry)
    left = { ...left, nodes, initializers, otherFields }
  }
  return left
}

/** Without those initializers of the names that nothing reads. */
export function withoutUnreadWeights(graph: Graph, names: ReadonlySet<string>): Graph {
  const read = readNames(graph)
  const gone = new Set([...names].filter((name) => !read.has(name) && !graph.inputs.includes(name)))
  const entries = new Set([...gone].map((name) => findInitializer(graph, name)?.bytes))
  const initializers = new Map([...graph.initializers].filter(([name]) => !gone.has(name)))
  return { ...graph, initializers, otherFields: graph.otherFields.filter((bytes) => !entries.has(bytes)) }
}

/** What a node takes, and what the bodies within it take or give. */
export function takenBy({ inputs, bodies }: GraphNode): string[] {
  const read = new Set(inputs)
  for (const body of bodies) readNames(body, read)
  return [...read]
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

/** Without nodes that nothing reads any more, from the last to the first. */
export function withoutUnused(nodes: readonly GraphNode[], outputs: readonly string[]): GraphNode[] {
  let left = [...nodes]
  for (;;) {
    const body = { nodes: left } as unknown as GraphBody
    const readers = readersOf(body)
    const inner = innerNames(body)
    const isRead = (name: string): boolean => readers.has(name) || inner.has(name) || outputs.includes(name)
    const kept = left.filter((node) => node.outputs.some(isRead))
    if (kept.length === left.length) return kept
    left = kept
  }
}
