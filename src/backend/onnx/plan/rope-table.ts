/**
 * Positions are turned into angles by a table that the graph carries. It has as many rows as positions can be told
 * apart, and some models have two: one for short texts and one for long, chosen by the length of the whole.
 */
import {
  constantOf,
  type Graph,
  type GraphBody,
  type GraphNode,
  producersOf,
} from '../../../onnx-file/graph.ts'

interface RopeTables {
  /** Most tokens the graph has angles for; `undefined` when it computes them. */
  readonly rows: number | undefined
  /** Texts longer than this use another table than shorter ones; `NEVER` when there is one table. */
  readonly switchAt: number
}

/** A length no text has, which JSON can hold. */
const NEVER = Number.MAX_SAFE_INTEGER

export function readRopeTables(graph: Graph): RopeTables {
  const producers = producersOf(graph)
  let rows: number | undefined
  let switchAt = NEVER
  for (const name of new Set(graph.nodes.map(cosineInput))) {
    const found = tablesBehind(graph, producers, name)
    if (found === undefined) continue
    rows = Math.min(rows ?? Number.POSITIVE_INFINITY, found.rows)
    switchAt = Math.min(switchAt, found.switchAt)
  }
  return { rows, switchAt }
}

/** The input that is the table of cosines, '' for nodes without one. */
function cosineInput(node: GraphNode): string {
  if (node.opType === 'GroupQueryAttention') return node.inputs[7] ?? ''
  if (node.opType !== 'RotaryEmbedding') return ''
  return node.inputs[node.domain === '' ? 1 : 2] ?? ''
}

function tablesBehind(
  graph: GraphBody,
  producers: ReadonlyMap<string, GraphNode>,
  name: string,
): { rows: number; switchAt: number } | undefined {
  const table = constantOf(graph, producers, name)
  if (table?.dims.length === 2) return { rows: table.dims[0]!, switchAt: NEVER }
  const choice = producers.get(name)
  if (choice?.opType !== 'If') return undefined
  const at = choice.outputs.indexOf(name)
  const sizes = choice.bodies.flatMap((body) => {
    const dims = constantOf(body, producersOf(body), body.outputs[at] ?? '')?.dims
    return dims?.length === 2 ? [dims[0]!] : []
  })
  if (sizes.length < 2) return undefined
  const threshold = thresholdOf(graph, producers, choice.inputs[0] ?? '')
  return { rows: Math.max(...sizes), switchAt: threshold ?? Math.min(...sizes) }
}

/** The number that the condition compares the length with: lengths up to it are short. */
function thresholdOf(
  graph: GraphBody,
  producers: ReadonlyMap<string, GraphNode>,
  condition: string,
): number | undefined {
  const node = producers.get(condition)
  const value = constantOf(graph, producers, node?.inputs[1] ?? '')?.scalar
  if (value === undefined) return undefined
  if (node?.opType === 'Greater') return value
  return node?.opType === 'GreaterOrEqual' ? value - 1 : undefined
}
