/** A short list of integers that a graph carries: a shape, or axes. */
import { ATTRIBUTE, INT64, NODE, TENSOR } from './fields.ts'
import type { GraphBody, GraphNode } from './graph.ts'
import { findInitializer } from './tensor-bytes.ts'
import { readTensorParts, type TensorParts } from './tensor-parts.ts'
import { type ByteSource, bytesSource, fieldsOf, integersOf } from './wire.ts'

/** The int64 numbers of an initializer or of a Constant node; `undefined` for anything else, and for numbers in a file. */
export function integerList(
  body: GraphBody,
  producers: ReadonlyMap<string, GraphNode>,
  name: string,
): readonly number[] | undefined {
  const found = findInitializer(body, name)
  if (found !== undefined) return numbersOf(found.source, found.parts)
  const node = producers.get(name)
  if (node?.opType !== 'Constant') return undefined
  const source = bytesSource(node.bytes)
  for (const attribute of fieldsOf(source)) {
    if (attribute.number !== NODE.attribute) continue
    for (const field of fieldsOf(source, attribute.valueStart, attribute.end)) {
      if (field.number === ATTRIBUTE.t) return numbersOf(source, readTensorParts(source, field))
    }
  }
  return undefined
}

function numbersOf(
  source: ByteSource,
  { facts, raw, external, others }: TensorParts,
): readonly number[] | undefined {
  if (facts.type !== INT64 || facts.dims.length > 1 || external.location !== undefined) return undefined
  if (raw === undefined) {
    return others
      .filter(({ number }) => number === TENSOR.int64Data)
      .flatMap((field) => integersOf(source, field))
  }
  const bytes = source.read(raw.valueStart, raw.end)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return Array.from({ length: bytes.length / 8 }, (_, i) => Number(view.getBigInt64(8 * i, true)))
}
