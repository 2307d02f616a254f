/** Element types by their ONNX code, their size, and the typed array that shows their memory. */
import { SpoutError } from '../errors.ts'
import type { ElementType, TensorData } from './runtime.ts'

/** Indexed by ONNXTensorElementDataType, which equals onnx.TensorProto.DataType. */
export const ELEMENT_TYPES: readonly (ElementType | undefined)[] = [
  undefined,
  'float32',
  'uint8',
  'int8',
  'uint16',
  'int16',
  'int32',
  'int64',
  undefined,
  'bool',
  'float16',
  'float64',
  'uint32',
  'uint64',
  undefined,
  undefined,
  'bfloat16',
]

const BYTES: Partial<Record<ElementType, number>> = {
  float32: 4,
  float16: 2,
  int64: 8,
  int32: 4,
  int8: 1,
  uint8: 1,
  bool: 1,
  float64: 8,
}

/** Bytes of one element. @throws SpoutError `config` for a type no tensor of ours has. */
export function elementBytes(type: ElementType): number {
  const bytes = BYTES[type]
  if (bytes === undefined) throw new SpoutError('config', `model: tensors of type ${type} are not supported`)
  return bytes
}

export function typeCode(type: ElementType): number {
  return ELEMENT_TYPES.indexOf(type)
}

/** A typed array over `count` elements of `buffer`; float16 shows as its bits. */
export function dataOf(type: ElementType, buffer: ArrayBuffer, offset: number, count: number): TensorData {
  switch (type) {
    case 'float32':
      return new Float32Array(buffer, offset, count)
    case 'float16':
      return new Uint16Array(buffer, offset, count)
    case 'int64':
      return new BigInt64Array(buffer, offset, count)
    case 'int32':
      return new Int32Array(buffer, offset, count)
    case 'int8':
      return new Int8Array(buffer, offset, count)
    case 'float64':
      return new Float64Array(buffer, offset, count)
    default:
      elementBytes(type)
      return new Uint8Array(buffer, offset, count)
  }
}
