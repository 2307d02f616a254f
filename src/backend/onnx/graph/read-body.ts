/**
 * Reads GraphProto: nodes, and the tensors without their weights. A large tensor inside the file becomes a reference
 * to the bytes where they lie; a reference to another file is checked and renamed to where that file really is.
 */
import { SpoutError } from '../../../errors.ts'
import { ATTRIBUTE, ENTRY, EXTERNAL, FUNCTION, GRAPH, INT32, INT64, NODE, TENSOR } from './fields.ts'
import type { GraphBody, GraphNode, TensorFacts } from './graph.ts'
import type { WeightFiles } from './weight-files.ts'
import {
  BYTES,
  type ByteSource,
  bytesField,
  bytesSource,
  concat,
  copyOf,
  type Field,
  fieldsOf,
  firstText,
  integersOf,
  signed,
  textOf,
  varintField,
} from './wire.ts'

/** Smaller tensors stay in the graph: shapes and constants that the optimizer wants to see. */
const INLINE_BYTES = 4096
/** Bodies inside bodies; real graphs have one or two. */
const MAX_DEPTH = 16
/** Axes of a tensor; real ones have up to 6. */
const MAX_RANK = 32

/** What reading one file needs everywhere. */
export interface Reading {
  readonly source: ByteSource
  readonly weights: WeightFiles
  /** Collects every operator met. */
  readonly opTypes: Set<string>
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
    rest: [] as Uint8Array[],
  }
  for (const part of fieldsOf(source, start, end)) {
    if (part.number === GRAPH.node) {
      body.nodes.push(readNode(reading, part, depth))
    } else if (part.number === GRAPH.initializer) {
      const tensor = readTensor(reading, part, depth === 0)
      body.initializers.set(tensor.name, tensor.facts)
      body.rest.push(bytesField(GRAPH.initializer, tensor.body))
    } else {
      if (part.number === GRAPH.input) body.inputs.push(firstText(source, part, 1))
      if (part.number === GRAPH.output) body.outputs.push(firstText(source, part, 1))
      if (part.number === GRAPH.sparseInitializer) refuseReferences(source, part)
      body.rest.push(copyOf(source, part))
    }
  }
  return body
}

/** Adds the operators of a FunctionProto. */
export function readFunction(reading: Reading, field: Field): void {
  for (const part of fieldsOf(reading.source, field.valueStart, field.end)) {
    if (part.number === FUNCTION.node) readNode(reading, part, 0)
  }
}

/** GraphProto as bytes, without the field around it. */
export function encodeBody(body: GraphBody): Uint8Array {
  return concat([...body.nodes.map((node) => bytesField(GRAPH.node, node.bytes)), ...body.rest])
}

/** The node with other bodies, in the order in which it has its own. */
export function withBodies(node: GraphNode, bodies: readonly GraphBody[]): GraphNode {
  const source = bytesSource(node.bytes)
  let next = 0
  const replaced = (field: Field): Uint8Array =>
    BODIES.has(field.number) ? bytesField(field.number, encodeBody(bodies[next++]!)) : copyOf(source, field)
  const fields = [...fieldsOf(source)].map((field) =>
    field.number === NODE.attribute
      ? bytesField(NODE.attribute, [...fieldsOf(source, field.valueStart, field.end)].map(replaced))
      : copyOf(source, field),
  )
  return { ...node, bodies, bytes: concat(fields) }
}

function readNode(reading: Reading, part: Field, depth: number): GraphNode {
  const { source } = reading
  const node = { opType: '', domain: '', inputs: [] as string[], outputs: [] as string[] }
  const found: Attributes = { ints: {}, constant: undefined, bodies: [] }
  const pieces: Uint8Array[] = []
  for (const field of fieldsOf(source, part.valueStart, part.end)) {
    if (field.number === NODE.attribute) {
      pieces.push(bytesField(NODE.attribute, readAttribute(reading, field, found, depth)))
      continue
    }
    if (field.number === NODE.input) node.inputs.push(textOf(source, field))
    else if (field.number === NODE.output) node.outputs.push(textOf(source, field))
    else if (field.number === NODE.opType) node.opType = textOf(source, field)
    else if (field.number === NODE.domain) node.domain = textOf(source, field)
    pieces.push(copyOf(source, field))
  }
  reading.opTypes.add(node.opType)
  const { ints, constant, bodies } = found
  return { ...node, ints, constant, bodies, bytes: concat(pieces) }
}

interface Attributes {
  readonly ints: Record<string, number>
  readonly bodies: GraphBody[]
  constant: TensorFacts | undefined
}

/** Puts what the attribute says into `found`. The bytes are its fields, references renamed. */
function readAttribute(
  reading: Reading,
  attribute: Field,
  found: Attributes,
  depth: number,
): readonly Uint8Array[] {
  const { source } = reading
  const pieces: Uint8Array[] = []
  let name = ''
  for (const field of fieldsOf(source, attribute.valueStart, attribute.end)) {
    if (BODIES.has(field.number)) {
      const body = readBody(reading, field.valueStart, field.end, depth + 1)
      found.bodies.push(body)
      pieces.push(bytesField(field.number, encodeBody(body)))
      continue
    }
    if (TENSORS.has(field.number)) {
      const tensor = readTensor(reading, field, false)
      if (field.number === ATTRIBUTE.t) found.constant = tensor.facts
      pieces.push(bytesField(field.number, tensor.body))
      continue
    }
    if (field.number === ATTRIBUTE.name) name = textOf(source, field)
    else if (field.number === ATTRIBUTE.i) found.ints[name] = signed(field.varint)
    else if (SPARSE.has(field.number)) refuseReferences(source, field)
    pieces.push(copyOf(source, field))
  }
  return pieces
}

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

/** The fields of a TensorProto, its weights turned into a reference when they are large or lie in another file. */
function readTensor(
  { source, weights }: Reading,
  part: Field,
  mayLeave: boolean,
): { name: string; facts: TensorFacts; body: Uint8Array } {
  const kept: Uint8Array[] = []
  const external: Record<string, string> = {}
  const facts = { type: 0, dims: [] as number[], scalar: undefined as number | undefined }
  let name = ''
  let raw: Field | undefined
  let whole: number | undefined
  for (const field of fieldsOf(source, part.valueStart, part.end)) {
    if (field.number === TENSOR.name) name = textOf(source, field)
    else if (field.number === TENSOR.type) facts.type = signed(field.varint)
    else if (field.number === TENSOR.dims) addDims(facts.dims, integersOf(source, field))
    else if (WHOLE_NUMBERS.has(field.number) && field.end - field.valueStart <= 10) {
      whole = integersOf(source, field)[0]
    }
    if (field.number === TENSOR.rawData) raw = field
    else if (field.number === TENSOR.externalData) {
      external[firstText(source, field, ENTRY.key)] = firstText(source, field, ENTRY.value)
    } else if (field.number !== TENSOR.dataLocation) kept.push(copyOf(source, field))
  }
  facts.scalar = facts.dims.every((size) => size === 1)
    ? (whole ?? rawInteger(source, raw, facts.type))
    : undefined
  if (external.location !== undefined) {
    kept.push(...reference(weights.resolve(external, name, facts)))
  } else if (raw !== undefined && mayLeave && raw.end - raw.valueStart > INLINE_BYTES) {
    const length = String(raw.end - raw.valueStart)
    kept.push(...reference({ location: weights.self, offset: String(raw.valueStart), length }))
  } else if (raw !== undefined) {
    kept.push(copyOf(source, raw))
  }
  return { name, facts, body: concat(kept) }
}

function addDims(dims: number[], more: readonly number[]): void {
  if (dims.length + more.length > MAX_RANK)
    throw new SpoutError('config', 'model graph: a tensor of too many axes')
  dims.push(...more)
}

const WHOLE_NUMBERS: ReadonlySet<number> = new Set([TENSOR.int32Data, TENSOR.int64Data])

function rawInteger(source: ByteSource, raw: Field | undefined, type: number): number | undefined {
  if (raw === undefined) return undefined
  const size = raw.end - raw.valueStart
  const bytes = Buffer.from(source.read(raw.valueStart, Math.min(raw.end, raw.valueStart + 8)))
  if (type === INT64 && size === 8) return Number(bytes.readBigInt64LE())
  return type === INT32 && size === 4 ? bytes.readInt32LE() : undefined
}

function reference(entries: Readonly<Record<string, string>>): Uint8Array[] {
  const fields = Object.entries(entries).map(([key, value]) =>
    bytesField(TENSOR.externalData, [bytesField(ENTRY.key, key), bytesField(ENTRY.value, value)]),
  )
  return [...fields, varintField(TENSOR.dataLocation, EXTERNAL)]
}
