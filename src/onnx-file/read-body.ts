/**
 * Reads GraphProto: nodes, and the tensors without their weights. A large tensor inside the file becomes a reference
 * to the bytes where they lie; a reference to another file is checked and renamed to where that file really is.
 */
import { SpoutError } from '../errors.ts'
import { ATTRIBUTE, FUNCTION, GRAPH, NODE, TENSOR } from './fields.ts'
import type { GraphBody, GraphNode } from './graph.ts'
import { referenceFields } from './make-parts.ts'
import { readTensorParts, type TensorFacts } from './tensor-parts.ts'
import type { Reference } from './weight-files.ts'
import {
  BYTES,
  type ByteSource,
  bytesField,
  bytesSource,
  concat,
  copyOf,
  type Field,
  fieldsOf,
  signed,
  textField,
  textOf,
} from './wire.ts'

/** Smaller tensors stay in the graph: shapes and constants that the optimizer wants to see. */
const INLINE_BYTES = 4096
/** Bodies inside bodies; real graphs have one or two. */
const MAX_DEPTH = 16

/** Decides where the weights of a tensor are said to be. */
export interface WeightPlaces {
  /** What the graph's own file is called; without it, weights inside the graph stay there. */
  readonly self?: string | undefined
  resolve(reference: Reference, tensor: string, facts: TensorFacts): Reference
}

/** What reading one file needs everywhere. */
export interface Reading {
  readonly source: ByteSource
  readonly weights: WeightPlaces
  /** Collects every operator met. */
  readonly opTypes: Set<string>
  /** Collects the domains of operators. */
  readonly domains: Set<string>
  /** References that now name another file than in the graph. */
  readonly renamed: { count: number }
}

/** @throws SpoutError `config` when the bytes are no graph or its weights are not there. */
export function readBody(reading: Reading, start: number, end: number, depth = 0): GraphBody {
  if (depth > MAX_DEPTH) throw new SpoutError('config', 'model graph: graphs nested too deep')
  const { source } = reading
  const body = {
    nodes: [] as GraphNode[],
    initializers: new Map<string, TensorFacts>(),
    inputs: [] as string[],
    outputs: [] as string[],
    otherFields: [] as Uint8Array[],
  }
  for (const part of fieldsOf(source, start, end)) {
    if (part.number === GRAPH.node) {
      body.nodes.push(readNode(reading, part, depth))
    } else if (part.number === GRAPH.initializer) {
      const tensor = readTensor(reading, part, depth === 0)
      // The runtime keeps the first of a name.
      if (body.initializers.has(tensor.name)) continue
      body.initializers.set(tensor.name, tensor.facts)
      body.otherFields.push(bytesField(GRAPH.initializer, tensor.bytes))
    } else {
      if (part.number === GRAPH.input) body.inputs.push(textField(source, part, 1))
      if (part.number === GRAPH.output) body.outputs.push(textField(source, part, 1))
      if (part.number === GRAPH.sparseInitializer) refuseReferences(source, part)
      body.otherFields.push(copyOf(source, part))
    }
  }
  return body
}

/** Adds the operators of a FunctionProto. */
export function readFunction(reading: Reading, field: Field): void {
  // What bears the name of a standard operator would not be what it is taken for.
  if (isStandard(textField(reading.source, field, FUNCTION.domain)))
    throw new SpoutError(
      'config',
      'model graph: a function of its own in the domain of the standard operators',
    )
  for (const part of fieldsOf(reading.source, field.valueStart, field.end)) {
    if (part.number === FUNCTION.node) readNode(reading, part, 0)
  }
}

/** GraphProto as bytes, without the field around it. */
export function encodeBody(body: GraphBody): Uint8Array {
  return concat([...body.nodes.map((node) => bytesField(GRAPH.node, node.bytes)), ...body.otherFields])
}

/** The node with other bodies, in the order in which it has its own. */
export function withBodies(node: GraphNode, bodies: readonly GraphBody[]): GraphNode {
  let next = 0
  const bytes = withAttributeFields(node.bytes, (source, field) =>
    BODIES.has(field.number) ? bytesField(field.number, encodeBody(bodies[next++]!)) : copyOf(source, field),
  )
  return { ...node, bodies, bytes }
}

/** A NodeProto, the fields inside its attributes as `map` gives them. */
export function withAttributeFields(
  node: Uint8Array,
  map: (source: ByteSource, field: Field) => Uint8Array,
): Uint8Array {
  const source = bytesSource(node)
  return concat(mapAttributes(source, { valueStart: 0, end: source.size }, (field) => map(source, field)))
}

function readNode(reading: Reading, part: Field, depth: number): GraphNode {
  const { source, renamed } = reading
  const before = renamed.count
  const inputs: string[] = []
  const outputs: string[] = []
  const found: Attributes = { ints: {}, bodies: [] }
  let opType = ''
  let domain = ''
  for (const field of fieldsOf(source, part.valueStart, part.end)) {
    if (field.number === NODE.input) inputs.push(textOf(source, field))
    else if (field.number === NODE.output) outputs.push(textOf(source, field))
    else if (field.number === NODE.opType) opType = textOf(source, field)
    else if (field.number === NODE.domain) domain = textOf(source, field)
    else if (field.number === NODE.attribute) readAttribute(reading, field, found, depth)
  }
  reading.opTypes.add(opType)
  if (domain === STANDARD) domain = ''
  reading.domains.add(domain)
  const { ints, bodies } = found
  const bytes = renamed.count === before ? contentOf(source, part) : rewriteNode(reading, part, depth)
  return { opType, domain, inputs, outputs, ints, bodies, bytes }
}

/** The other name of the domain ''. */
const STANDARD = 'ai.onnx'
const isStandard = (domain: string): boolean => domain === '' || domain === STANDARD

interface Attributes {
  readonly ints: Record<string, number>
  readonly bodies: GraphBody[]
}

/** Puts what the attribute says into `found`. */
function readAttribute(reading: Reading, attribute: Field, found: Attributes, depth: number): void {
  const { source } = reading
  const name = textField(source, attribute, ATTRIBUTE.name)
  let graphs = 0
  for (const field of fieldsOf(source, attribute.valueStart, attribute.end)) {
    if (field.number === ATTRIBUTE.g && ++graphs > 1)
      throw new SpoutError('config', 'model graph: two graphs in the place of one')
    if (field.number === ATTRIBUTE.i) found.ints[name] = signed(field.varint)
    else if (BODIES.has(field.number)) {
      found.bodies.push(readBody(reading, field.valueStart, field.end, depth + 1))
    } else if (TENSORS.has(field.number)) {
      if (mayRefer(source, field)) readTensor(reading, field, false)
    } else if (SPARSE.has(field.number)) refuseReferences(source, field)
  }
}

/** A reference has a `location`; most tensors inside nodes have not even the word, and need no closer look. */
function mayRefer(source: ByteSource, field: Field): boolean {
  return Buffer.prototype.includes.call(source.read(field.valueStart, field.end), LOCATION)
}

const LOCATION = Buffer.from('location')

/** The bytes of a node with weights in other files somewhere inside it. */
function rewriteNode(reading: Reading, part: Field, depth: number): Uint8Array {
  const { source } = reading
  const rewritten = (field: Field): Uint8Array => {
    if (BODIES.has(field.number)) {
      return bytesField(field.number, encodeBody(readBody(reading, field.valueStart, field.end, depth + 1)))
    }
    if (TENSORS.has(field.number)) return bytesField(field.number, readTensor(reading, field, false).bytes)
    return copyOf(source, field)
  }
  return concat(mapAttributes(source, part, rewritten))
}

/** The fields of a NodeProto, those inside its attributes as `map` gives them. */
function mapAttributes(source: ByteSource, part: Span, map: (field: Field) => Uint8Array): Uint8Array[] {
  return [...fieldsOf(source, part.valueStart, part.end)].map((field) =>
    field.number === NODE.attribute
      ? bytesField(NODE.attribute, [...fieldsOf(source, field.valueStart, field.end)].map(map))
      : copyOf(source, field),
  )
}

type Span = Pick<Field, 'valueStart' | 'end'>

const BODIES: ReadonlySet<number> = new Set([ATTRIBUTE.g, ATTRIBUTE.graphs])
const TENSORS: ReadonlySet<number> = new Set([ATTRIBUTE.t, ATTRIBUTE.tensors])
const SPARSE: ReadonlySet<number> = new Set(ATTRIBUTE.sparse)

/** Sparse tensors are passed on as they are, so their weights must be inside. */
function refuseReferences(source: ByteSource, sparse: Field): void {
  for (const tensor of fieldsOf(source, sparse.valueStart, sparse.end)) {
    if (tensor.wireType !== BYTES) continue
    for (const field of fieldsOf(source, tensor.valueStart, tensor.end)) {
      if (field.number !== TENSOR.externalData) continue
      throw new SpoutError('config', 'model weights: a sparse tensor in another file is not supported')
    }
  }
}

/** A TensorProto, its weights turned into a reference when they are large or lie in another file. */
function readTensor({ source, weights, renamed }: Reading, part: Field, mayLeave: boolean): NamedTensor {
  const { name, facts, raw, external, others } = readTensorParts(source, part)
  let lies: Reference
  if (external.location !== undefined) {
    lies = weights.resolve(external, name, facts)
    renamed.count++
  } else if (weights.self !== undefined && raw && mayLeave && raw.end - raw.valueStart > INLINE_BYTES) {
    const length = String(raw.end - raw.valueStart)
    lies = { location: weights.self, offset: String(raw.valueStart), length }
  } else {
    return { name, facts, bytes: contentOf(source, part) }
  }
  const bytes = concat([...others.map((field) => copyOf(source, field)), ...referenceFields(lies)])
  return { name, facts, bytes }
}

interface NamedTensor {
  readonly name: string
  readonly facts: TensorFacts
  readonly bytes: Uint8Array
}

/** Bytes of the message in a field, copied out of the source. */
function contentOf(source: ByteSource, field: Span): Uint8Array {
  return source.read(field.valueStart, field.end).slice()
}
