/**
 * A graph of halves (fp16) around quantized matmuls, as one of fp32. A processor has no arithmetic of halves: ONNX Runtime
 * converts before and after every operator, and our kernels know fp32 only. Every half is a number of fp32, so weights stay
 * what they were, and sums are rounded less often than in the graph as it is written. Large tables and matrices stay halves,
 * with a cast behind them: of an embedding only the rows that are read are converted.
 */
import {
  ATTRIBUTE,
  FLOAT,
  FLOAT16,
  GRAPH,
  MICROSOFT,
  MODEL,
  TENSOR_TYPE,
  TYPE,
  VALUE_INFO,
} from '../onnx-file/fields.ts'
import type { Graph, GraphBody, GraphNode } from '../onnx-file/graph.ts'
import { makeInitializer } from '../onnx-file/make-parts.ts'
import { withAttributeFields, withBodies } from '../onnx-file/read-body.ts'
import { halvesIn, singleBytes, singleTensor } from '../onnx-file/single-tensor.ts'
import { tensorSlices } from '../onnx-file/tensor-bytes.ts'
import { readTensorParts, type TensorFacts } from '../onnx-file/tensor-parts.ts'
import { innerNames } from '../onnx-file/unread.ts'
import { tensorBytes } from '../onnx-file/weight-bytes.ts'
import {
  type ByteSource,
  bytesField,
  bytesSource,
  concat,
  copyOf,
  type Field,
  fieldsOf,
  varintField,
} from '../onnx-file/wire.ts'
import { ConvertedNodes, type ConvertedWeights, cast, inOrder, singleName } from './single-nodes.ts'

/** A matrix that is larger stays in halves. */
const LARGE_BYTES = 1 << 22
/** What is converted travels inside the graph, and a message of protobuf ends at 2 GB. */
const MOST_BYTES = 1.5e9

/** The same graph where its quantized matmuls are not of halves, or something in it is not understood. */
export function inSinglePrecision(graph: Graph): Graph {
  if (!hasHalfMatmul(graph)) return graph
  const large = largeHalves(graph)
  if (!isUnderstood(graph, large)) return graph
  const converted = convertBody(graph, graph, large)
  return converted === undefined
    ? graph
    : { ...graph, ...converted, opTypes: new Set([...graph.opTypes, 'Cast']) }
}

function hasHalfMatmul({ nodes, initializers }: Graph): boolean {
  return nodes.some(({ opType, domain, inputs }) => {
    const scales = initializers.get(inputs[2] ?? '')
    return opType === 'MatMulNBits' && domain === MICROSOFT && scales?.type === FLOAT16
  })
}

/** Standard operators that read a weight in one of whole tables or matrices. */
const TABLE_READERS = new Set(['Gather', 'MatMul', 'Transpose', 'Gemm'])

/** Tables of embeddings and large matrices, by name. */
function largeHalves({ nodes, initializers, outputs }: Graph): ReadonlySet<string> {
  const large = [...initializers].filter(
    ([, facts]) => facts.type === FLOAT16 && tensorBytes(facts) > LARGE_BYTES,
  )
  const names = new Set(large.map(([name]) => name))
  for (const { opType, domain, inputs } of nodes) {
    if (domain === '' && TABLE_READERS.has(opType)) continue
    for (const name of inputs) names.delete(name)
  }
  for (const name of [...outputs, ...innerNames({ nodes } as GraphBody)]) names.delete(name)
  return names
}

/** Functions have types of their own; sparse weights, and nodes that are told a type in another way, are rare. */
function isUnderstood(graph: Graph, large: ReadonlySet<string>): boolean {
  const inside = [...graph.initializers].filter(([name, { type }]) => type === FLOAT16 && !large.has(name))
  const bytes = 2 * inside.reduce((sum, [, facts]) => sum + tensorBytes(facts), 0)
  const hasFunctions = graph.modelFields.some((field) => numberOf(field) === MODEL.functions)
  return !hasFunctions && bytes < MOST_BYTES && !hasOtherTypes(graph)
}

function hasOtherTypes({ nodes, otherFields }: GraphBody): boolean {
  const isSparse = otherFields.some((field) => numberOf(field) === GRAPH.sparseInitializer)
  return isSparse || nodes.some(({ ints, bodies }) => ints.dtype === FLOAT16 || bodies.some(hasOtherTypes))
}

function numberOf(bytes: Uint8Array): number | undefined {
  const [field] = fieldsOf(bytesSource(bytes))
  return field?.number
}

/** @param large weights that stay halves. @returns `undefined` where a tensor cannot be read */
function convertBody(graph: Graph, body: GraphBody, large: ReadonlySet<string>): GraphBody | undefined {
  const fields = body.otherFields.map((bytes) => convertField(graph, body, { bytes, large }))
  if (!fields.every((bytes) => bytes !== undefined)) return undefined
  const initializers = new Map(
    [...body.initializers].map(([name, facts]) => [name, large.has(name) ? facts : singleFacts(facts)]),
  )
  const casts = [...large].map((name) => cast(name, singleName(name)))
  const nodes = convertNodes(graph, body, { large, initializers })
  return nodes && { ...body, initializers, nodes: [...casts, ...nodes], otherFields: fields }
}

const singleFacts = (facts: TensorFacts): TensorFacts =>
  facts.type === FLOAT16 ? { ...facts, type: FLOAT } : facts
interface ToConvert {
  readonly bytes: Uint8Array
  readonly large: ReadonlySet<string>
}

/** A field of a graph that is no node. */
function convertField(graph: Graph, body: GraphBody, { bytes, large }: ToConvert): Uint8Array | undefined {
  const source = bytesSource(bytes)
  const [field] = fieldsOf(source)
  if (field === undefined) return bytes
  if (VALUES.has(field.number)) return withSingleType(source)
  if (field.number !== GRAPH.initializer) return bytes
  const { name, facts, external } = readTensorParts(source, field)
  if (facts.type !== FLOAT16 || large.has(name)) return bytes
  if (external.location === undefined) {
    const tensor = singleTensor(source, field)
    return tensor && bytesField(GRAPH.initializer, tensor)
  }
  const slices = Array.from(tensorSlices({ ...graph, otherFields: body.otherFields }, name, SLICE), (slice) =>
    singleBytes(halvesIn(slice)),
  )
  return makeInitializer(name, { type: FLOAT, dims: facts.dims, raw: concat(slices) })
}

const SLICE = 1 << 20
const VALUES: ReadonlySet<number> = new Set([GRAPH.input, GRAPH.output, GRAPH.valueInfo])

/** Fields down to the type of a tensor's elements: of a graph, ValueInfoProto, TypeProto, TypeProto.Tensor. */
const TO_ELEMENT: readonly ReadonlySet<number>[] = [
  VALUES,
  new Set([VALUE_INFO.type]),
  new Set([TYPE.tensor]),
]

function withSingleType(
  source: ByteSource,
  { valueStart, end }: Span = whole(source),
  depth = 0,
): Uint8Array {
  const parts = [...fieldsOf(source, valueStart, end)].map((field) => {
    if (TO_ELEMENT[depth]?.has(field.number) === true) {
      return bytesField(field.number, withSingleType(source, field, depth + 1))
    }
    const isHalf =
      depth === TO_ELEMENT.length && field.number === TENSOR_TYPE.element && field.varint === HALF
    return isHalf ? varintField(field.number, FLOAT) : copyOf(source, field)
  })
  return concat(parts)
}

type Span = Pick<Field, 'valueStart' | 'end'>
const whole = ({ size }: ByteSource): Span => ({ valueStart: 0, end: size })
const HALF = BigInt(FLOAT16)

function convertNodes(
  graph: Graph,
  body: GraphBody,
  { large, initializers }: ConvertedWeights,
): GraphNode[] | undefined {
  const nodes = new ConvertedNodes(body, { large, initializers })
  for (const original of inOrder(body)) {
    const node = withSingleTensors(graph, original)
    if (node === undefined) return undefined
    nodes.add(node)
  }
  return nodes.list
}

/** A node whose own tensors and bodies are of fp32. */
function withSingleTensors(graph: Graph, node: GraphNode): GraphNode | undefined {
  let isRead = true
  const bytes = withAttributeFields(node.bytes, (source, field) => {
    const isTensor = field.number === ATTRIBUTE.t || field.number === ATTRIBUTE.tensors
    if (!isTensor || readTensorParts(source, field).facts.type !== FLOAT16) return copyOf(source, field)
    const tensor = singleTensor(source, field)
    if (tensor === undefined) isRead = false
    return bytesField(field.number, tensor ?? [])
  })
  if (!isRead) return undefined
  const changed = { ...node, bytes }
  if (node.bodies.length === 0) return changed
  const bodies = node.bodies.map((body) => convertBody(graph, body, NONE))
  return bodies.every((body) => body !== undefined) ? withBodies(changed, bodies) : undefined
}

const NONE: ReadonlySet<string> = new Set()
