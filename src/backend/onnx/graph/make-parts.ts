/** New parts of a graph: nodes, their attributes, tensors. */
import { ATTRIBUTE, GRAPH, NODE, TENSOR } from './fields.ts'
import type { GraphNode } from './graph.ts'
import { bytesField, concat, varintField } from './wire.ts'

export interface NodeParts {
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

export interface TensorContent {
  readonly type: number
  readonly dims: readonly number[]
  readonly raw: Uint8Array
}

/** An initializer with its bytes inside, as a field of its graph. */
export function makeInitializer(name: string, { type, dims, raw }: TensorContent): Uint8Array {
  return bytesField(GRAPH.initializer, [
    ...dims.map((size) => varintField(TENSOR.dims, size)),
    varintField(TENSOR.type, type),
    bytesField(TENSOR.name, name),
    bytesField(TENSOR.rawData, raw),
  ])
}
