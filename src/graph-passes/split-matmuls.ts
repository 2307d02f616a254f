/**
 * Very large quantized matmuls (MatMulNBits), a head above all, taken apart along their columns. While a session loads, the
 * memory in which a kernel arranges a weight is used again for the next one; what is larger than glibc keeps (32 MB) comes
 * fresh from the system each time, page by page. No number changes.
 */
import type { Graph } from '../onnx-file/graph.ts'
import { makeInitializer, makeNode, makeReference, type TensorShape } from '../onnx-file/make-parts.ts'
import { findInitializer } from '../onnx-file/tensor-bytes.ts'
import { withoutUnread } from '../onnx-file/unread.ts'
import { tensorBytes } from '../onnx-file/weight-bytes.ts'
import { matmulLike, matmulOf, type QuantizedMatmul } from './quantized-matmul.ts'

/** Bytes of weights in one matmul; the kernels arrange them in half as much again. Each matmul more costs a step 0.04 ms. */
const MOST_BYTES = 20e6
/** Columns that a part is a multiple of: the kernels work on tiles of them, and so do threads. */
const TILE = 128

/** The same graph when no matmul is that large. */
export function splitMatmuls(graph: Graph, mostBytes = MOST_BYTES): Graph {
  let changed = graph
  for (const node of graph.nodes) {
    const matmul = matmulOf(graph, node)
    if (matmul !== undefined && matmul.bytes > mostBytes) changed = inParts(changed, matmul, mostBytes)
  }
  return changed
}

function inParts(graph: Graph, { node, n, weights, bytes }: QuantizedMatmul, mostBytes: number): Graph {
  const step = Math.ceil(n / Math.ceil(bytes / mostBytes) / TILE) * TILE
  const starts = Array.from({ length: Math.ceil(n / step) }, (_, i) => i * step)
  const slices = weights.map((name) => rowsOf(graph, name, n))
  if (starts.length < 2 || slices.includes(undefined)) return graph
  const rest: Uint8Array[] = []
  const initializers = new Map(graph.initializers)
  const [output] = node.outputs as [string]
  const parts = starts.map((start, part) => {
    const rows = Math.min(step, n - start)
    const names = slices.map((slice, i) => {
      const name = `spout.part.${output}.${weights[i]}.${part}`
      const { field, dims, type } = slice!(name, start, rows)
      rest.push(field)
      initializers.set(name, { type, dims, scalar: undefined })
      return name
    })
    return matmulLike(node, { weights: names, n: rows, output: `spout.part.${output}.${part}` })
  })
  const joined = makeNode('Concat', {
    inputs: parts.map(({ outputs }) => outputs[0]!),
    outputs: [output],
    ints: { axis: -1 },
  })
  const changed: Graph = {
    ...graph,
    nodes: graph.nodes.flatMap((each) => (each === node ? [...parts, joined] : [each])),
    initializers,
    otherFields: [...graph.otherFields, ...rest],
    opTypes: new Set([...graph.opTypes, 'Concat']),
  }
  return weights.reduce<Graph>((left, name) => withoutUnread(left, [name]), changed)
}

interface Rows extends TensorShape {
  /** The initializer, as a field of its graph. */
  readonly field: Uint8Array
}

type RowsOf = (name: string, start: number, count: number) => Rows

/** Gives rows of a constant as constants of their own; `undefined` when its bytes do not lie in one piece. */
function rowsOf(graph: Graph, name: string, n: number): RowsOf | undefined {
  const facts = graph.initializers.get(name)!
  const { type, dims } = facts
  const found = findInitializer(graph, name)
  const rowBytes = tensorBytes(facts) / n
  if (found === undefined || !Number.isInteger(rowBytes)) return undefined
  const { raw, external } = found.parts
  // Scales and zero points may be flat: of each row the same number.
  const shapeOf = (rows: number): TensorShape => {
    const flat = (dims.reduce((a, b) => a * b, 1) / n) * rows
    return { type, dims: dims[0] === n ? [rows, ...dims.slice(1)] : [flat] }
  }
  if (external.location !== undefined) {
    const { location = '', offset = '0' } = external
    return (to, start, count) => {
      const from = String(Number(offset) + start * rowBytes)
      const place = { location, offset: from, length: String(count * rowBytes) }
      return { ...shapeOf(count), field: makeReference(to, shapeOf(count), place) }
    }
  }
  if (raw === undefined || raw.end - raw.valueStart !== n * rowBytes) return undefined
  return (to, start, count) => {
    const from = raw.valueStart + start * rowBytes
    const bytes = found.bytes.subarray(from, from + count * rowBytes)
    return { ...shapeOf(count), field: makeInitializer(to, { ...shapeOf(count), raw: bytes }) }
  }
}
