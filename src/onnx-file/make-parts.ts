/** New parts of a graph: nodes, their attributes, tensors. */
import { ATTRIBUTE, DIMENSION, ENTRY, EXTERNAL, GRAPH, NODE, TENSOR } from './fields.ts'
import type { GraphNode } from './graph.ts'
import { bytesField, bytesSource, concat, fieldsOf, varintField } from './wire.ts'

interface NodeParts {
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  readonly domain?: string
  readonly ints?: Readonly<Record<string, number>>
}

/** A node that is named after its first output. */
export function makeNode(opType: string, parts: NodeParts): GraphNode {
  const { inputs, outputs, domain = '', ints = {} } = parts
  const bytes = concat([
    ...inputs.map((name) => bytesField(NODE.input, name)),
    ...outputs.map((name) => bytesField(NODE.output, name)),
    bytesField(NODE.name, outputs[0]!),
    bytesField(NODE.opType, opType),
    ...Object.entries(ints).map(([name, value]) => intAttribute(name, value)),
    bytesField(NODE.domain, domain),
  ])
  return { opType, domain, inputs, outputs, ints, bodies: [], bytes }
}

/** The node with other inputs. */
export function withInputs(node: GraphNode, inputs: readonly string[]): GraphNode {
  return { ...node, inputs, bytes: withNames(node.bytes, NODE.input, inputs) }
}

/** The node with other names for what it gives. */
export function withOutputs(node: GraphNode, outputs: readonly string[]): GraphNode {
  return { ...node, outputs, bytes: withNames(node.bytes, NODE.output, outputs) }
}

/** Fields of one number keep their order; these may stand before all others. */
function withNames(bytes: Uint8Array, number: number, names: readonly string[]): Uint8Array {
  const kept = [...fieldsOf(bytesSource(bytes))].filter((field) => field.number !== number)
  return concat([
    ...names.map((name) => bytesField(number, name)),
    ...kept.map(({ start, end }) => bytes.subarray(start, end)),
  ])
}

export function withFirstInput(node: GraphNode, name: string): GraphNode {
  return withInputs(node, [name, ...node.inputs.slice(1)])
}

/** AttributeProto.AttributeType.INT */
const TYPE_INT = 2

/** An attribute that is one integer, as a field of its node. */
export function intAttribute(name: string, value: number): Uint8Array {
  return bytesField(NODE.attribute, [
    bytesField(ATTRIBUTE.name, name),
    varintField(ATTRIBUTE.i, value),
    varintField(ATTRIBUTE.type, TYPE_INT),
  ])
}

export interface TensorShape {
  /** onnx.TensorProto.DataType. */
  readonly type: number
  readonly dims: readonly number[]
}

interface TensorContent extends TensorShape {
  readonly raw: Uint8Array
}

/** A value that a graph is given or gives: a dimension of any size has a name. */
interface ValueType {
  /** onnx.TensorProto.DataType. */
  readonly type: number
  readonly dims: readonly (number | string)[]
}

/** An input (ValueInfoProto), as a field of its graph. */
export function makeInput(name: string, shape: ValueType): Uint8Array {
  return valueField(GRAPH.input, name, shape)
}

/** An output (ValueInfoProto), as a field of its graph. */
export function makeOutput(name: string, shape: ValueType): Uint8Array {
  return valueField(GRAPH.output, name, shape)
}

function valueField(field: number, name: string, { type, dims }: ValueType): Uint8Array {
  const sizes = dims.map((size) => {
    const isNumber = typeof size === 'number'
    return bytesField(1, [isNumber ? varintField(DIMENSION.value, size) : bytesField(DIMENSION.name, size)])
  })
  const tensorType = [varintField(1, type), bytesField(2, sizes)]
  return bytesField(field, [bytesField(1, name), bytesField(2, [bytesField(1, tensorType)])])
}

/** An initializer with its bytes inside, as a field of its graph. */
export function makeInitializer(name: string, { raw, ...shape }: TensorContent): Uint8Array {
  return initializerOf(name, shape, [bytesField(TENSOR.rawData, raw)])
}

/** An initializer whose bytes lie in a file, as a field of its graph. @param place the entries of external_data. */
export function makeReference(
  name: string,
  shape: TensorShape,
  place: Readonly<Record<string, string>>,
): Uint8Array {
  return initializerOf(name, shape, referenceFields(place))
}

/** What a tensor says of where its bytes lie, as fields of it. */
export function referenceFields(place: Readonly<Record<string, string>>): Uint8Array[] {
  const entries = Object.entries(place).map(([key, value]) =>
    bytesField(TENSOR.externalData, [bytesField(ENTRY.key, key), bytesField(ENTRY.value, value)]),
  )
  return [...entries, varintField(TENSOR.dataLocation, EXTERNAL)]
}

function initializerOf(name: string, { type, dims }: TensorShape, bytes: readonly Uint8Array[]): Uint8Array {
  return bytesField(GRAPH.initializer, [
    ...dims.map((size) => varintField(TENSOR.dims, size)),
    varintField(TENSOR.type, type),
    bytesField(TENSOR.name, name),
    ...bytes,
  ])
}
