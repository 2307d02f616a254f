/** Gives an optimized graph the weights that its session packed, in a file beside it. */
import { closeSync, openSync, renameSync, writeFileSync, writeSync } from 'node:fs'
import { basename } from 'node:path'
import { GRAPH, UINT8 } from '../../../onnx-file/fields.ts'
import { encodeGraph, readSkeleton } from '../../../onnx-file/graph-file.ts'
import { makeReference } from '../../../onnx-file/make-parts.ts'
import { bytesSource, fieldsOf, textField } from '../../../onnx-file/wire.ts'
import type { PackedTensor } from '../../../onnx-runtime/runtime.ts'
import { pageFrom } from '../../../system/memory-pages.ts'

/** Rewrites the graph at `path`, whole only at the end. @throws what the file system says. */
export function storePacked(path: string, tensors: readonly PackedTensor[]): void {
  const data = `${path}.matmuls`
  const references = writeTensors(data, tensors)
  const names = new Set(tensors.map(({ name }) => name))
  const graph = readSkeleton(path, { resolve: (reference) => reference })
  const rest = graph.otherFields.filter((bytes) => !names.has(inputName(bytes) ?? ''))
  writeFileSync(`${path}.packed`, encodeGraph({ ...graph, otherFields: [...rest, ...references] }))
  renameSync(`${path}.packed`, path)
}

/** Each on pages of its own. */
function writeTensors(path: string, tensors: readonly PackedTensor[]): Uint8Array[] {
  const file = openSync(path, 'wx')
  try {
    let end = 0
    return tensors.map(({ name, dims, data }) => {
      const offset = pageFrom(end)
      end = offset + data.length
      for (let done = 0; done < data.length; ) {
        done += writeSync(file, data, done, data.length - done, offset + done)
      }
      const place = { location: basename(path), offset: String(offset), length: String(data.length) }
      return makeReference(name, { type: UINT8, dims }, place)
    })
  } finally {
    closeSync(file)
  }
}

/** The name of an input, if that is what a field of a graph is. */
function inputName(bytes: Uint8Array): string | undefined {
  const source = bytesSource(bytes)
  const [field] = fieldsOf(source)
  return field?.number === GRAPH.input ? textField(source, field, NAME) : undefined
}

/** Of ValueInfoProto. */
const NAME = 1
