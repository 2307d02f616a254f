/** Takes a TensorProto apart: what it says about itself, and where its weights are. */
import { SpoutError } from '../errors.ts'
import { ATTRIBUTE, ENTRY, EXTERNAL, INT32, INT64, NODE, TENSOR } from './fields.ts'
import {
  type ByteSource,
  bytesSource,
  type Field,
  fieldsOf,
  integersOf,
  signed,
  textField,
  textOf,
} from './wire.ts'

/** What a tensor says about itself. */
export interface TensorFacts {
  /** onnx.TensorProto.DataType. */
  readonly type: number
  readonly dims: readonly number[]
  /** The value of an integer tensor that has one element. */
  readonly scalar: number | undefined
}

export interface TensorParts {
  readonly name: string
  readonly facts: TensorFacts
  /** Weights inside the tensor. */
  readonly raw: Field | undefined
  /** The entries of external_data, of a tensor that says its weights lie in another file. */
  readonly external: Readonly<Record<string, string>>
  /** Every field that says nothing of where the weights are. */
  readonly others: readonly Field[]
}

/** Axes of a tensor; real ones have up to 6. */
const MAX_RANK = 32

export function readTensorParts(source: ByteSource, part: Field): TensorParts {
  const others: Field[] = []
  const external: Record<string, string> = {}
  const dims: number[] = []
  let type = 0
  let name = ''
  let raw: Field | undefined
  let whole: number | undefined
  let location = 0
  for (const field of fieldsOf(source, part.valueStart, part.end)) {
    if (field.number === TENSOR.name) name = textOf(source, field)
    else if (field.number === TENSOR.type) type = signed(field.varint)
    else if (field.number === TENSOR.dims) addDims(dims, integersOf(source, field))
    else if (WHOLE_NUMBERS.has(field.number) && field.end - field.valueStart <= 10) {
      whole = integersOf(source, field)[0]
    }
    if (field.number === TENSOR.rawData) raw = field
    else if (field.number === TENSOR.externalData) {
      external[textField(source, field, ENTRY.key)] = textField(source, field, ENTRY.value)
    } else if (field.number === TENSOR.dataLocation) location = Number(field.varint)
    else others.push(field)
  }
  const isExternal = location === EXTERNAL
  if (isExternal && external.location === undefined)
    throw new SpoutError('config', 'model weights: a tensor in another file, which is not named')
  const isScalar = dims.every((size) => size === 1)
  const scalar = isScalar ? (whole ?? rawInteger(source, raw, type)) : undefined
  // Like the runtime, which looks at the entries only then.
  return { name, facts: { type, dims, scalar }, raw, external: isExternal ? external : {}, others }
}

/** The tensor that a Constant makes. @param node NodeProto */
export function readConstant(node: Uint8Array): TensorFacts | undefined {
  const source = bytesSource(node)
  for (const field of fieldsOf(source)) {
    if (field.number !== NODE.attribute) continue
    for (const part of fieldsOf(source, field.valueStart, field.end)) {
      if (part.number === ATTRIBUTE.t) return readTensorParts(source, part).facts
    }
  }
  return undefined
}

function addDims(dims: number[], more: readonly number[]): void {
  if (dims.length + more.length > MAX_RANK) {
    throw new SpoutError('config', 'model graph: a tensor of too many axes')
  }
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
