import { DIMENSION, GRAPH, TENSOR_TYPE, TYPE, VALUE_INFO } from './fields.ts'
import type { GraphBody } from './graph.ts'
import { type ByteSource, bytesSource, type Field, fieldsOf, textOf } from './wire.ts'

/** What an input says of itself. */
export interface ValueShape {
  /** onnx.TensorProto.DataType; 0 for what is no tensor. */
  readonly type: number
  /** Sizes; `undefined` for one that is free. */
  readonly dims: readonly (number | undefined)[]
}

/** The tensors that a graph takes, by their names. */
export function inputShapes({ otherFields }: GraphBody): Map<string, ValueShape> {
  const found = new Map<string, ValueShape>()
  for (const bytes of otherFields) {
    const source = bytesSource(bytes)
    const [field] = fieldsOf(source)
    if (field?.number !== GRAPH.input) continue
    const { name, ...shape } = readValue(source, field)
    found.set(name, shape)
  }
  return found
}

/** What a ValueInfoProto says. */
export function readValue(source: ByteSource, value: Field): ValueShape & { readonly name: string } {
  let name = ''
  let shape: ValueShape = { type: 0, dims: [] }
  for (const part of fieldsOf(source, value.valueStart, value.end)) {
    if (part.number === VALUE_INFO.name) name = textOf(source, part)
    else if (part.number === VALUE_INFO.type) shape = readType(source, part)
  }
  return { name, ...shape }
}

function readType(source: ByteSource, type: Field): ValueShape {
  let element = 0
  const dims: (number | undefined)[] = []
  for (const tensor of fieldsOf(source, type.valueStart, type.end)) {
    if (tensor.number !== TYPE.tensor) continue
    for (const part of fieldsOf(source, tensor.valueStart, tensor.end)) {
      if (part.number === TENSOR_TYPE.element) element = Number(part.varint)
      else if (part.number === TENSOR_TYPE.shape) {
        for (const dim of fieldsOf(source, part.valueStart, part.end)) dims.push(readSize(source, dim))
      }
    }
  }
  return { type: element, dims }
}

function readSize(source: ByteSource, dim: Field): number | undefined {
  for (const part of fieldsOf(source, dim.valueStart, dim.end)) {
    if (part.number === DIMENSION.value) return Number(part.varint)
  }
  return undefined
}
