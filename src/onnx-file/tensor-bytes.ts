/** The bytes of a weight, wherever they lie: in the skeleton or in a file it refers to. */
import { closeSync, openSync, readSync } from 'node:fs'
import { join } from 'node:path'
import { SpoutError } from '../errors.ts'
import { GRAPH, TENSOR } from './fields.ts'
import type { Graph, GraphBody } from './graph.ts'
import { readTensorParts, type TensorParts } from './tensor-parts.ts'
import { type ByteSource, bytesSource, type Field, fieldsOf, textField } from './wire.ts'

interface FoundInitializer {
  /** The entry of the graph's `rest`. */
  readonly bytes: Uint8Array
  readonly source: ByteSource
  /** The whole entry, as a field. */
  readonly field: Field
  readonly parts: TensorParts
}

/** The initializer `name` among the fields of a graph. */
export function findInitializer({ otherFields }: GraphBody, name: string): FoundInitializer | undefined {
  const bytes = entriesOf(otherFields).get(name)
  if (bytes === undefined) return undefined
  const source = bytesSource(bytes)
  const [field] = fieldsOf(source)
  return { bytes, source, field: field!, parts: readTensorParts(source, field!) }
}

/** The entries of initializers by their names. */
function entriesOf(otherFields: readonly Uint8Array[]): ReadonlyMap<string, Uint8Array> {
  const known = entriesByName.get(otherFields)
  if (known !== undefined) return known
  const entries = new Map<string, Uint8Array>()
  for (const bytes of otherFields) {
    const source = bytesSource(bytes)
    const [field] = fieldsOf(source)
    if (field?.number !== GRAPH.initializer) continue
    const name = textField(source, field, TENSOR.name)
    // The first of a name counts.
    if (!entries.has(name)) entries.set(name, bytes)
  }
  entriesByName.set(otherFields, entries)
  return entries
}

const entriesByName = new WeakMap<readonly Uint8Array[], ReadonlyMap<string, Uint8Array>>()

/** Where the bytes of a weight are: in memory, or from `offset` on in a file. */
export type BytePlace =
  | Uint8Array
  | { readonly path: string; readonly offset: number; readonly length: number }

/** `undefined` for a weight that is not there, or is numbers one by one. */
export function placeOf(graph: Graph, name: string): BytePlace | undefined {
  const found = findInitializer(graph, name)
  if (found === undefined) return undefined
  const { raw, external } = found.parts
  if (external.location !== undefined) {
    const path = join(graph.weightsFolder, external.location)
    return { path, offset: Number(external.offset ?? 0), length: Number(external.length) }
  }
  return raw && found.bytes.subarray(raw.valueStart, raw.end)
}

/**
 * Goes through a weight in slices of `sliceBytes`, the last may be shorter; a slice is valid until the next, and begins
 * where any kind of number may.
 * @throws SpoutError `config` for one whose bytes are not there, or are numbers one by one.
 */
export function* tensorSlices(graph: Graph, name: string, sliceBytes: number): Generator<Uint8Array> {
  const found = findInitializer(graph, name)
  if (found === undefined) throw new SpoutError('config', 'model weights: a tensor is not there')
  const { raw, external } = found.parts
  const memory = new Uint8Array(sliceBytes)
  if (external.location === undefined) {
    const inside = found.bytes.subarray(raw?.valueStart ?? 0, raw?.end ?? 0)
    for (let at = 0; at < inside.length; at += sliceBytes) {
      const slice = inside.subarray(at, at + sliceBytes)
      memory.set(slice)
      yield memory.subarray(0, slice.length)
    }
    return
  }
  yield* fileSlices(join(graph.weightsFolder, external.location), external, memory)
}

function* fileSlices(path: string, place: Readonly<Record<string, string>>, memory: Uint8Array) {
  const file = openSync(path, 'r')
  try {
    const start = Number(place.offset ?? 0)
    const length = Number(place.length)
    for (let at = 0; at < length; at += memory.length) {
      const wanted = Math.min(memory.length, length - at)
      if (readSync(file, memory, 0, wanted, start + at) < wanted) {
        throw new SpoutError('config', 'model weights: a file ends too soon')
      }
      yield memory.subarray(0, wanted)
    }
  } finally {
    closeSync(file)
  }
}
