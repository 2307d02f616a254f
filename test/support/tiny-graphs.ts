/** Graphs of a few nodes, written by hand, for tests that need no model. */
import { bytesField, concat, varintField } from '../../src/backend/onnx/graph/wire.ts'

const FLOAT = 1

export function model(graph: readonly Uint8Array[], opset = 17): Uint8Array {
  return concat([
    varintField(1, 8),
    bytesField(8, [bytesField(1, ''), varintField(2, opset)]),
    bytesField(7, [...graph, bytesField(2, 'tiny')]),
  ])
}

export function node(opType: string, inputs: readonly string[], outputs: readonly string[]): Uint8Array {
  return bytesField(1, [
    ...inputs.map((name) => bytesField(1, name)),
    ...outputs.map((name) => bytesField(2, name)),
    bytesField(4, opType),
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
  const raw = new Uint8Array(values.buffer, values.byteOffset, values.byteLength)
  return bytesField(5, [
    ...dims.map((dim) => varintField(1, dim)),
    varintField(2, FLOAT),
    bytesField(8, name),
    bytesField(9, raw),
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
