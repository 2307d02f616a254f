/** Graphs of a few nodes, written by hand, for tests that need no model. */
import { toHalf } from '../../src/kernels/numerics/fp32.ts'
import { bytesField, concat, varintField } from '../../src/onnx-file/wire.ts'

export const FLOAT = 1
export const INT64 = 7
export const BOOL = 9
export const FLOAT16 = 10

export { bytesField as bytesOfField }

export function model(graph: readonly Uint8Array[], opset = 17): Uint8Array {
  return concat([
    varintField(1, 8),
    bytesField(8, [bytesField(1, ''), varintField(2, opset)]),
    bytesField(8, [bytesField(1, 'com.microsoft'), varintField(2, 1)]),
    bytesField(7, [...graph, bytesField(2, 'tiny')]),
  ])
}

export interface NodeOptions {
  readonly domain?: string
  readonly attributes?: readonly Uint8Array[]
}

export function node(
  opType: string,
  inputs: readonly string[],
  outputs: readonly string[],
  { domain = '', attributes = [] }: NodeOptions = {},
): Uint8Array {
  return bytesField(1, [
    ...inputs.map((name) => bytesField(1, name)),
    ...outputs.map((name) => bytesField(2, name)),
    bytesField(3, `${opType} of ${outputs[0]}`),
    bytesField(4, opType),
    ...attributes,
    ...(domain === '' ? [] : [bytesField(7, domain)]),
  ])
}

export function intAttribute(name: string, value: number): Uint8Array {
  return bytesField(5, [bytesField(1, name), varintField(3, value), varintField(20, 2)])
}

export function intsAttribute(name: string, values: readonly number[]): Uint8Array {
  return bytesField(5, [
    bytesField(1, name),
    ...values.map((value) => varintField(8, value)),
    varintField(20, 7),
  ])
}

export function tensorAttribute(name: string, tensor: Uint8Array): Uint8Array {
  return bytesField(5, [bytesField(1, name), bytesField(5, tensor), varintField(20, 4)])
}

/** A branch of an If; `graph` is made of the same parts as a model's. */
export function graphAttribute(name: string, graph: readonly Uint8Array[]): Uint8Array {
  return bytesField(5, [
    bytesField(1, name),
    bytesField(6, [...graph, bytesField(2, name)]),
    varintField(20, 5),
  ])
}

/** A graph input (11) or output (12) with its shape; a name is a free dimension. */
export function value(
  kind: 'input' | 'output',
  name: string,
  dims: readonly (number | string)[],
  type: number = FLOAT,
): Uint8Array {
  const shape = dims.map((dim) =>
    bytesField(1, typeof dim === 'number' ? [varintField(1, dim)] : [bytesField(2, dim)]),
  )
  const tensor = [varintField(1, type), bytesField(2, shape)]
  return bytesField(kind === 'input' ? 11 : 12, [bytesField(1, name), bytesField(2, [bytesField(1, tensor)])])
}

export function initializer(name: string, dims: readonly number[], values: Float32Array): Uint8Array {
  return bytesField(5, tensor(name, dims, { type: FLOAT, values }))
}

/** Numbers of fp16, given as such of fp32. */
export function halves(name: string, dims: readonly number[], values: Float32Array): Uint8Array {
  return bytesField(5, tensor(name, dims, { type: FLOAT16, values: Uint16Array.from(values, toHalf) }))
}

export function integers(name: string, dims: readonly number[], values: readonly number[]): Uint8Array {
  return bytesField(5, tensor(name, dims, { type: INT64, values: BigInt64Array.from(values, BigInt) }))
}

/** TensorProto, without the field around it. */
export function tensor(
  name: string,
  dims: readonly number[],
  { type, values }: { type: number; values: Float32Array | BigInt64Array | Uint16Array },
): Uint8Array {
  return concat([
    ...dims.map((dim) => varintField(1, dim)),
    varintField(2, type),
    bytesField(8, name),
    bytesField(9, new Uint8Array(values.buffer, values.byteOffset, values.byteLength)),
  ])
}

/** A tensor whose bytes lie in another file. */
export function externalTensor(
  name: string,
  dims: readonly number[],
  entries: Readonly<Record<string, string>>,
): Uint8Array {
  return bytesField(5, [
    ...dims.map((dim) => varintField(1, dim)),
    varintField(2, FLOAT),
    bytesField(8, name),
    ...Object.entries(entries).map(([key, text]) =>
      bytesField(13, [bytesField(1, key), bytesField(2, text)]),
    ),
    varintField(14, 1),
  ])
}

/** sum = x + y, shape [rows, 3]. */
export function additionModel(): Uint8Array {
  return model([
    node('Add', ['x', 'y'], ['sum']),
    value('input', 'x', ['rows', 3]),
    value('input', 'y', ['rows', 3]),
    value('output', 'sum', ['rows', 3]),
  ])
}
