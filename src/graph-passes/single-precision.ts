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
import { type Graph, type GraphBody, type GraphNode, producersOf, readersOf } from '../onnx-file/graph.ts'
import { inputShapes } from '../onnx-file/input-shapes.ts'
import { makeInitializer, makeNode, withInputs, withOutputs } from '../onnx-file/make-parts.ts'
import { withAttributeFields, withBodies } from '../onnx-file/read-body.ts'
import { halvesIn, singleBytes, singleTensor } from '../onnx-file/single-tensor.ts'
import { tensorSlices } from '../onnx-file/tensor-bytes.ts'
import { readTensorParts, type TensorFacts } from '../onnx-file/tensor-parts.ts'
import { innerNames, takenBy } from '../onnx-file/unread.ts'
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
const singleName = (name: string): string => `spout.single.${name}`
const cast = (from: string, to: string): GraphNode =>
  makeNode('Cast', { inputs: [from], outputs: [to], ints: { to: FLOAT } })

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

interface ConvertedWeights {
  readonly large: ReadonlySet<string>
  readonly initializers: ReadonlyMap<string, TensorFacts>
}

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

/** Each after those whose values it takes, which files do not always keep to. */
function inOrder(body: GraphBody): Iterable<GraphNode> {
  const producers = producersOf(body)
  const ordered = new Set<GraphNode>()
  const begun = new Set<GraphNode>()
  // A stack of its own: a chain may be as long as a graph.
  const pending = [...body.nodes].reverse()
  for (let node = pending.pop(); node !== undefined; node = pending.pop()) {
    if (ordered.has(node)) continue
    const before = begun.has(node) ? [] : takenBy(node).flatMap((name) => producers.get(name) ?? [])
    const open = before.filter((each) => !ordered.has(each) && !begun.has(each))
    begun.add(node)
    if (open.length === 0) ordered.add(node)
    else pending.push(node, ...open)
  }
  return ordered
}

/** Nodes in their order. A cast of what is fp32 already is left out: it would stand between nodes that belong together. */
class ConvertedNodes {
  readonly list: GraphNode[] = []
  readonly #large: ReadonlySet<string>
  /** Values that are fp32 for certain. */
  readonly #floats: Set<string>
  /** Of a cast that is left out: what is read in place of what it gave. */
  readonly #instead = new Map<string, string>()
  readonly #readers: ReadonlyMap<string, readonly GraphNode[]>
  readonly #inner: ReadonlySet<string>
  readonly #outputs: ReadonlySet<string>

  constructor(body: GraphBody, { large, initializers }: ConvertedWeights) {
    const weights = [...initializers].filter(([, { type }]) => type === FLOAT)
    const inputs = [...inputShapes(body)].filter(([, { type }]) => FLOATS.has(type))
    this.#large = large
    this.#floats = new Set([...weights, ...inputs].map(([name]) => name))
    this.#readers = readersOf(body)
    this.#inner = innerNames(body)
    this.#outputs = new Set(body.outputs)
  }

  add(node: GraphNode): void {
    const inputs = node.inputs.map((name) => this.#instead.get(name) ?? name)
    const [first = ''] = inputs
    const [output] = node.outputs as [string]
    if (node.domain === '' && node.opType === 'Cast' && FLOATS.has(node.ints.to ?? 0)) {
      if (!this.#floats.has(first) || !this.#leaveOut(first, output)) this.list.push(cast(first, output))
      this.#floats.add(output)
    } else if (node.domain === '' && node.opType === 'Gather' && this.#large.has(first)) {
      const halves = `spout.halves.${output}`
      this.list.push(withOutputs(withInputs(node, inputs), [halves]), cast(halves, output))
      this.#floats.add(output)
    } else {
      const read = inputs.map((name) => (this.#large.has(name) ? singleName(name) : name))
      this.list.push(read.every((name, i) => name === node.inputs[i]) ? node : withInputs(node, read))
      const isFloat = this.#floats.has(first) || this.#large.has(first)
      if (isFloat && SAME_TYPE.has(node.opType)) this.#floats.add(output)
      if (node.domain === MICROSOFT && ALWAYS_FLOAT.has(node.opType))
        for (const name of node.outputs) this.#floats.add(name)
    }
  }

  /** @returns whether nobody misses the cast from `first` to `output` */
  #leaveOut(first: string, output: string): boolean {
    if (this.#inner.has(output)) return false
    if (!this.#outputs.has(output)) {
      this.#instead.set(output, first)
      return true
    }
    // What the graph gives takes the name itself, where nobody else reads it under its own.
    const isOnlyRead =
      this.#readers.get(first)?.length === 1 && !this.#inner.has(first) && !this.#outputs.has(first)
    const at = this.list.findLastIndex(({ outputs }) => outputs.includes(first))
    if (!isOnlyRead || at < 0) return false
    const maker = this.list[at]!
    const outputs = maker.outputs.map((name) => (name === first ? output : name))
    this.list[at] = withOutputs(maker, outputs)
    return true
  }
}

const FLOATS: ReadonlySet<number> = new Set([FLOAT, FLOAT16])

/** Operators whose first output has the type of their first input: fp32 follows from fp32. */
const SAME_TYPE = new Set([
  ...[
    'Add',
    'Sub',
    'Mul',
    'Div',
    'Pow',
    'Sqrt',
    'Reciprocal',
    'Neg',
    'Sigmoid',
    'Tanh',
    'Erf',
    'Gelu',
    'Softmax',
  ],
  ...[
    'ReduceMean',
    'MatMul',
    'Gemm',
    'Concat',
    'Slice',
    'Reshape',
    'Transpose',
    'Squeeze',
    'Unsqueeze',
    'Expand',
  ],
  ...['Identity', 'Gather', 'Cos', 'Sin', 'LayerNormalization', 'SimplifiedLayerNormalization'],
])

/** ONNX Runtime's, all of whose outputs are halves or fp32; after the conversion there are no halves. */
const ALWAYS_FLOAT = new Set([
  ...['MatMulNBits', 'GatherBlockQuantized', 'GroupQueryAttention', 'MultiHeadAttention', 'RotaryEmbedding'],
  ...['SkipSimplifiedLayerNormalization', 'SkipLayerNormalization', 'QuickGelu', 'FastGelu', 'BiasGelu'],
])

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
