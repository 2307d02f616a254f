/** A tensor of halves (fp16) as one of fp32. Every half is a number of fp32, so nothing is lost. */
import { FLOAT, FLOAT16, TENSOR } from './fields.ts'
import { float16ToFloat32 } from './float16.ts'
import { readTensorParts } from './tensor-parts.ts'
import {
  type ByteSource,
  bytesField,
  concat,
  copyOf,
  type Field,
  fieldsOf,
  integersOf,
  varintField,
} from './wire.ts'

/**
 * The content of a TensorProto in fp32; `undefined` for one that is not of halves, or whose numbers lie in a file.
 * @param tensor the field that holds it
 */
export function singleTensor(source: ByteSource, tensor: Field): Uint8Array | undefined {
  const { facts, external, others } = readTensorParts(source, tensor)
  if (facts.type !== FLOAT16 || external.location !== undefined) return undefined
  const bits = halvesOf(source, tensor)
  const count = facts.dims.reduce((a, b) => a * b, 1)
  return bits?.length === count ? withNumbers(source, others, bits) : undefined
}

/** The same tensor with these numbers. @param others its fields, without those of its numbers */
function withNumbers(source: ByteSource, others: readonly Field[], bits: Uint16Array): Uint8Array {
  const kept = others.filter(({ number }) => number !== TENSOR.type && number !== TENSOR.int32Data)
  return concat([
    ...kept.map((field) => copyOf(source, field)),
    varintField(TENSOR.type, FLOAT),
    bytesField(TENSOR.rawData, singleBytes(bits)),
  ])
}

/** Halves as fp32, little-endian. */
export function singleBytes(bits: Uint16Array): Uint8Array {
  const numbers = new Float32Array(bits.length)
  float16ToFloat32(bits, numbers)
  return new Uint8Array(numbers.buffer)
}

/** Halves lie in raw_data, or one by one in int32_data. */
function halvesOf(source: ByteSource, tensor: Field): Uint16Array | undefined {
  const numbers: number[] = []
  for (const field of fieldsOf(source, tensor.valueStart, tensor.end)) {
    if (field.number === TENSOR.rawData) return halvesIn(source.read(field.valueStart, field.end))
    if (field.number === TENSOR.int32Data) numbers.push(...integersOf(source, field))
  }
  return Uint16Array.from(numbers)
}

/** A copy, for halves need not begin at an even address. */
export function halvesIn(bytes: Uint8Array): Uint16Array {
  return new Uint16Array(new Uint8Array(bytes.subarray(0, bytes.length & ~1)).buffer)
}
