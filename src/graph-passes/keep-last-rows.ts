/**
 * Logits of the last positions only. The head (`lm_head`) costs as much as several layers and its output is
 * prompt × vocabulary × 4 bytes; only the last row is ever used. Graphs that know this have an input
 * `num_logits_to_keep` (0 = all rows); the others get the same input: the hidden rows are sliced before the head, where
 * the logits of a row follow from that row alone (heads.ts).
 */
import { INT64 } from '../onnx-file/fields.ts'
import { type Graph, type GraphBody, type GraphNode, producersOf, readersOf } from '../onnx-file/graph.ts'
import { makeInitializer, makeInput, makeNode, withFirstInput } from '../onnx-file/make-parts.ts'
import { withBodies } from '../onnx-file/read-body.ts'
import { innerNames, withoutUnused } from '../onnx-file/unread.ts'
import { withoutInput } from '../onnx-file/without-input.ts'
import { type Constants, constantsOf } from './constants.ts'
import { findHeads } from './heads.ts'

export const NUM_LOGITS_TO_KEEP = 'num_logits_to_keep'
/** Where the last rows begin, in a graph that is cut to them. */
const START = 'spout.start'
const INT64_MAX = (1n << 63n) - 1n

/** The graph with the input `num_logits_to_keep`, or `undefined` when its head is not one we recognise. */
export function keepLastRows(graph: Graph): Graph | undefined {
  if (graph.inputs.includes(NUM_LOGITS_TO_KEEP)) return graph
  const patched = cutBeforeHead(graph, { logits: 'logits', rows: 'spout.last_rows', cut: sliceOf })
  if (patched === undefined) return undefined
  return {
    ...graph,
    nodes: [...startNodes(), ...patched.nodes],
    inputs: [...graph.inputs, NUM_LOGITS_TO_KEEP],
    otherFields: [
      ...graph.otherFields,
      ...constants(),
      makeInput(NUM_LOGITS_TO_KEEP, { type: INT64, dims: [] }),
    ],
  }
}

/**
 * The graph with logits of the last position alone, without a new input: what is asked for at run time would be computed on
 * the CPU, also where all else is not. `undefined` when the head is not one we recognise.
 */
export function keepLastRow(graph: Graph): Graph | undefined {
  if (graph.inputs.includes(NUM_LOGITS_TO_KEEP)) return undefined
  const patched = cutBeforeHead(graph, { logits: 'logits', rows: 'spout.last_row', cut: lastOf })
  if (patched === undefined) return undefined
  const initializers = new Map(graph.initializers).set(LAST_ROW, { type: INT64, dims: [1], scalar: -1 })
  return {
    ...graph,
    nodes: patched.nodes,
    initializers,
    otherFields: [...graph.otherFields, constant(LAST_ROW, -1n)],
  }
}

/**
 * The graph with logits of the rows that an input names, whichever they are, in place of the last ones; its own input for how
 * many, if it has one, is then to be 0. `undefined` when the head is not one we recognise.
 */
export function keepWantedRows(graph: Graph): Graph | undefined {
  const hasOwn = !producersOf(graph).has(START) && graph.inputs.includes(NUM_LOGITS_TO_KEEP)
  const patched = hasOwn
    ? cutBeforeHead(graph, { logits: 'logits', rows: 'spout.wanted_rows', cut: wantedOf })
    : wantedForLast(graph)
  if (patched === undefined) return undefined
  const made = {
    ...graph,
    nodes: withoutUnused(patched.nodes, graph.outputs),
    inputs: [...graph.inputs, WANTED],
    otherFields: [...graph.otherFields, makeInput(WANTED, { type: INT64, dims: [`${WANTED}_count`] })],
  }
  return hasOwn ? made : withoutInput(made, NUM_LOGITS_TO_KEEP)
}

/** A graph that was cut to its last rows, by `keepLastRows`. */
function wantedForLast(graph: Graph): GraphBody | undefined {
  const isCut = (node: GraphNode): boolean => node.opType === 'Slice' && node.inputs[1] === START
  if (!graph.nodes.some(isCut)) return undefined
  return {
    ...graph,
    nodes: graph.nodes.map((node) => (isCut(node) ? wantedOf(node.inputs[0]!, node.outputs[0]!) : node)),
  }
}

/** The rows whose logits are wanted, by their numbers: int64 [any number]. */
export const WANTED = 'spout.wanted'

const wantedOf: HeadCut['cut'] = (hidden, rows) =>
  makeNode('Gather', { inputs: [hidden, WANTED], outputs: [rows], ints: { axis: 1 } })

interface HeadCut {
  readonly logits: string
  /** The name of the rows that are left. */
  readonly rows: string
  /** Makes `rows` of the hidden rows. */
  readonly cut: (hidden: string, rows: string) => GraphNode
}

/** The number of the last row, in a graph that gives logits of no other. */
export const LAST_ROW = 'spout.last'

const sliceOf: HeadCut['cut'] = (hidden, rows) =>
  makeNode('Slice', { inputs: [hidden, START, 'spout.end', 'spout.one'], outputs: [rows] })

const lastOf: HeadCut['cut'] = (hidden, rows) =>
  makeNode('Gather', { inputs: [hidden, LAST_ROW], outputs: [rows], ints: { axis: 1 } })

/** @param outer constants of the graphs around this one. */
function cutBeforeHead(
  body: GraphBody,
  { logits, rows, cut }: HeadCut,
  outer?: Constants,
): GraphBody | undefined {
  const last = producersOf(body).get(logits)
  if (last?.opType === 'If') return cutInBranches(body, last, { logits, rows, cut }, constantsOf(body, outer))
  const { matmuls, mayBeCut } = findHeads(body, logits, outer)
  if (!mayBeCut) return undefined
  const nodes = body.nodes.flatMap((node) => {
    const at = matmuls.indexOf(node)
    if (at < 0) return [node]
    const kept = at === 0 ? rows : `${rows}.of.${at}`
    return [cut(node.inputs[0]!, kept), withFirstInput(node, kept)]
  })
  return { ...body, nodes }
}

/** Merged decoders are an If of two whole graphs; both are cut, or none. */
function cutInBranches(
  body: GraphBody,
  node: GraphNode,
  { logits, rows, cut }: HeadCut,
  constants: Constants,
): GraphBody | undefined {
  const at = node.outputs.indexOf(logits)
  // Behind the If as well nobody else may take them.
  const others = { ...body, nodes: body.nodes.filter((each) => each !== node) }
  if (readersOf(body).has(logits) || innerNames(others).has(logits)) return undefined
  const bodies = node.bodies.map((branch, i) =>
    cutBeforeHead(branch, { logits: branch.outputs[at] ?? '', rows: `${rows}.${i}`, cut }, constants),
  )
  if (bodies.length === 0 || bodies.includes(undefined)) return undefined
  const patched = withBodies(node, bodies as GraphBody[])
  return { ...body, nodes: body.nodes.map((each) => (each === node ? patched : each)) }
}

/** rows = hidden[:, -keep:, :]; keep = 0 gives the slice from 0, all rows. */
function startNodes(): GraphNode[] {
  return [
    makeNode('Neg', { inputs: [NUM_LOGITS_TO_KEEP], outputs: ['spout.start_scalar'] }),
    makeNode('Reshape', { inputs: ['spout.start_scalar', 'spout.one'], outputs: [START] }),
  ]
}

/** `spout.one` serves as shape [1] and as axis 1. */
function constants(): Uint8Array[] {
  return [constant('spout.one', 1n), constant('spout.end', INT64_MAX)]
}

function constant(name: string, value: bigint): Uint8Array {
  const raw = Buffer.alloc(8)
  raw.writeBigInt64LE(value)
  return makeInitializer(name, { type: INT64, dims: [1], raw })
}
