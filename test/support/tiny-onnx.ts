// ONNX files of a few bytes, written field by field: enough of a model to be looked at, not to be run.

/** A tensor whose bytes lie elsewhere, as a graph says it. */
export interface ExternalTensorSpec {
  readonly location: string
  readonly offset?: number | string
  readonly length?: number | string
}

export interface GraphSpec {
  readonly external?: readonly ExternalTensorSpec[]
  /** Where the tensors stand in the graph. */
  readonly place?: 'initializer' | 'sparse' | 'attribute' | 'subgraph' | 'function' | 'sparse-attribute'
  /** Bytes of weights inside the file. */
  readonly inside?: number
  readonly operator?: string
}

/** The bytes of an ONNX model. */
export function onnxBytes({
  external = [],
  place = 'initializer',
  inside = 0,
  operator = 'MatMul',
}: GraphSpec = {}): Buffer {
  const tensors = external.map(externalTensor)
  const insideTensor =
    inside > 0 ? [message(5, Buffer.concat([text(8, 'w'), message(9, Buffer.alloc(inside, 7))]))] : []
  const graph = Buffer.concat([
    message(
      1,
      Buffer.concat([
        text(4, operator),
        ...(place === 'attribute' ? tensors.map((t) => message(5, message(5, t))) : []),
        ...(place === 'sparse-attribute' ? tensors.map((t) => message(5, message(22, message(1, t)))) : []),
        ...(place === 'subgraph'
          ? [message(5, message(6, Buffer.concat(tensors.map((t) => message(5, t)))))]
          : []),
      ]),
    ),
    text(2, 'main'),
    ...insideTensor,
    ...(place === 'initializer' ? tensors.map((t) => message(5, t)) : []),
    ...(place === 'sparse' ? tensors.map((t) => message(15, message(1, t))) : []),
    message(11, Buffer.concat([text(1, 'input_ids'), tensorType(7, ['batch', 'sequence'])])),
    message(11, Buffer.concat([text(1, 'past_key_values.0.key'), tensorType(1, ['batch', 2, 'past', 8])])),
    message(11, Buffer.concat([text(1, 'past_key_values.0.value'), tensorType(1, ['batch', 2, 'past', 8])])),
  ])
  const fn =
    place === 'function'
      ? [message(25, message(7, Buffer.concat(tensors.map((t) => message(5, message(5, t))))))]
      : []
  return Buffer.concat([varint(1, 8), message(7, graph), message(8, varint(2, 17)), ...fn])
}

function externalTensor({ location, offset, length }: ExternalTensorSpec): Buffer {
  const entries = Object.entries({ location, offset, length }).filter(([, value]) => value !== undefined)
  const pairs = entries.map(([key, value]) =>
    message(13, Buffer.concat([text(1, key), text(2, String(value))])),
  )
  const size = Number(length ?? 100)
  // Bytes, as many as it says; of what is no length the check shall not be spared by an odd shape.
  const count = Number.isSafeInteger(size) && size >= 0 ? size : 100
  return Buffer.concat([varint(1, count), varint(2, 2), text(8, 'weight'), ...pairs, varint(14, 1)])
}

function tensorType(elementType: number, dims: readonly (string | number)[]): Buffer {
  const shape = dims.map((dim) => message(1, typeof dim === 'string' ? text(2, dim) : varint(1, dim)))
  return message(2, message(1, Buffer.concat([varint(1, elementType), message(2, Buffer.concat(shape))])))
}

export function message(field: number, content: Buffer): Buffer {
  return Buffer.concat([number(field * 8 + 2), number(content.length), content])
}

export function text(field: number, content: string): Buffer {
  return message(field, Buffer.from(content))
}

export function varint(field: number, value: number): Buffer {
  return Buffer.concat([number(field * 8), number(value)])
}

function number(value: number): Buffer {
  const bytes: number[] = []
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return Buffer.from([...bytes, rest])
    bytes.push((rest % 128) + 128)
  }
}
