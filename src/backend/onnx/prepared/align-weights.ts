/**
 * Lays the weights of an optimized graph out anew. ONNX Runtime 1.30 writes one tensor after the other, and what the
 * kernels arranged behind each; but the 4-bit kernels align the parts of an arrangement by the address it had, so one
 * that is mapped to an address of another alignment is read shifted, and gives nonsense. Here each begins on a page.
 *
 * A reference to arranged weights is an entry `prepacked_N` of external_data: `key|offset;length;checksum`, with as many
 * parts after the key as the kernel made (onnxruntime/core/graph/model_saving_options.h and #23069).
 */
import { closeSync, openSync, readSync, renameSync, statSync, writeFileSync, writeSync } from 'node:fs'
import { basename } from 'node:path'
import { encodeGraph, readSkeleton } from '../../../onnx-file/graph-file.ts'
import type { WeightPlaces } from '../../../onnx-file/read-body.ts'
import type { Reference } from '../../../onnx-file/weight-files.ts'
import { pageFrom } from '../../../system/memory-pages.ts'

const SLICE = 4 << 20

/** Rewrites the graph at `path` and its `.data`; both are whole only at the end. @throws what the file system says. */
export function alignWeights(path: string): void {
  const data = `${path}.data`
  if (statSync(data, { throwIfNoEntry: false }) === undefined) return
  const aligned = `${data}.aligned`
  const file = openSync(aligned, 'wx')
  const source = openSync(data, 'r')
  try {
    const mover = new Mover(source, file)
    const graph = readSkeleton(path, placesMovedBy(mover, basename(data)))
    writeFileSync(`${path}.aligned`, encodeGraph(graph))
  } finally {
    closeSync(source)
    closeSync(file)
  }
  renameSync(aligned, data)
  renameSync(`${path}.aligned`, path)
}

function placesMovedBy(mover: Mover, name: string): WeightPlaces {
  return {
    // What lies in another file was put there by us.
    resolve: (reference) => (reference.location === name ? moved(reference, mover) : reference),
  }
}

function moved(reference: Reference, mover: Mover): Reference {
  const entries = Object.entries(reference).map(([key, value]) => {
    return [key, /^prepacked_\d+$/.test(key) ? movedParts(value, mover) : value] as const
  })
  const offset = mover.move(Number(reference.offset ?? 0), Number(reference.length))
  return { ...Object.fromEntries(entries), offset: String(offset) }
}

function movedParts(value: string, mover: Mover): string {
  const [key, ...parts] = value.split('|')
  const places = parts.map((part) => {
    const [offset, length, ...rest] = part.split(';')
    return [mover.move(Number(offset), Number(length)), length, ...rest].join(';')
  })
  return [key, ...places].join('|')
}

/** Copies pieces of one file into another, each to the beginning of a page. */
class Mover {
  readonly #source: number
  readonly #target: number
  readonly #memory = Buffer.allocUnsafe(SLICE)
  #end = 0

  constructor(source: number, target: number) {
    this.#source = source
    this.#target = target
  }

  /** Gives the offset where `length` bytes from `offset` on are now. */
  move(offset: number, length: number): number {
    if (!Number.isSafeInteger(offset) || !Number.isSafeInteger(length))
      throw new Error('a place is no number')
    const start = pageFrom(this.#end)
    for (let done = 0; done < length; ) {
      const wanted = Math.min(SLICE, length - done)
      const read = readSync(this.#source, this.#memory, 0, wanted, offset + done)
      if (read === 0) throw new Error('weights end too soon')
      writeSync(this.#target, this.#memory, 0, read, start + done)
      done += read
    }
    this.#end = start + length
    return start
  }
}
