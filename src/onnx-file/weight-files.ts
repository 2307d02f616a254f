/**
 * Where weights lie: the one check of the files a graph names. Each must be inside the model, there, a regular file and long
 * enough. A hub snapshot is made of links into a folder of blobs, and ONNX Runtime refuses a link that leaves the folder it is
 * told; so references name the real files, below one folder that holds them all.
 */
import { type Stats, statSync } from 'node:fs'
import { dirname, join, resolve, sep } from 'node:path'
import { isSafeFileName } from '../system/safe-name.ts'
import { quote } from '../system/text-display.ts'
import { BrokenFile, type BrokenFileOptions } from './broken-file.ts'
import { ELEMENT_BITS } from './fields.ts'
import { type FilePlaces, filePlaces } from './file-places.ts'
import type { TensorFacts } from './tensor-parts.ts'

/** The entries of a tensor's external_data: location, offset, length and others. */
export type Reference = Readonly<Record<string, string>>

interface WeightFile {
  /** As the model has it: a link stays a link. */
  readonly path: string
  /** Where its bytes are. */
  readonly real: string
  readonly size: number
}

export class WeightFiles {
  readonly #places: FilePlaces
  readonly #graph: WeightFile
  readonly #options: BrokenFileOptions
  readonly #files = new Map<string, WeightFile>()
  #folder: string

  /** @param path of the graph, as a link or the file itself. @throws BrokenFile where it is none of the model's. */
  constructor(path: string, options: BrokenFileOptions = {}) {
    this.#options = options
    this.#places = filePlaces(path)
    this.#graph = fileInside(this.#places, resolve(path), options)
    this.#folder = dirname(this.#graph.real)
  }

  /** The folder that references are relative to. It may become one above while they are resolved. */
  get folder(): string {
    return this.#folder
  }

  /** The graph's own file, below `folder`. */
  get self(): string {
    return nameBelow(this.#folder, this.#graph.real)
  }

  /** Every file that was referred to, the graph's own first, as the model has them: links stay links. */
  get paths(): string[] {
    return [this.#graph, ...this.#others].map((file) => file.path)
  }

  /** Bytes of these files. */
  get bytes(): number {
    return [this.#graph, ...this.#others].reduce((sum, { size }) => sum + size, 0)
  }

  /** Each once, also where links of two names lead to it. */
  get #others(): WeightFile[] {
    const byPlace = new Map([...this.#files.values()].map((file) => [file.real, file]))
    byPlace.delete(this.#graph.real)
    return [...byPlace.values()]
  }

  /**
   * The reference in terms of `folder`.
   * @throws BrokenFile where the bytes are not all there, or lie outside the model.
   */
  resolve(reference: Reference, tensor: string, facts: TensorFacts): Reference {
    const location = withoutDot(reference.location ?? '')
    const file = this.#files.get(location) ?? this.#find(location)
    const end = this.#endOf(reference, tensor, facts)
    if (end > file.size) {
      const detail = `cut off: ${file.size} bytes of at least ${end}`
      throw new BrokenFile(file.path, detail, this.#options)
    }
    return { ...reference, location: nameBelow(this.#folder, file.real) }
  }

  #find(location: string): WeightFile {
    refuseUnsafe(this.#graph.path, [...this.#files.keys(), location])
    const file = fileInside(this.#places, join(dirname(this.#graph.path), location), this.#options)
    this.#files.set(location, file)
    this.#folder = commonFolder(this.#folder, file.real)
    return file
  }

  /** Where a tensor's bytes end in their file. */
  #endOf(reference: Reference, tensor: string, facts: TensorFacts): number {
    const needed = tensorBytes(facts, this.#graph.path)
    const offset = Number(reference.offset ?? 0)
    const length = Number(reference.length ?? needed ?? 0)
    if (isCount(offset) && isCount(offset + length) && isCount(length) && length === (needed ?? length)) {
      return offset + length
    }
    const found = `offset ${quote(reference.offset)}, length ${quote(reference.length)}`
    const expected = needed === undefined ? 'numbers' : `a length of ${needed}`
    throw new BrokenFile(
      this.#graph.path,
      `${quote(tensor)} has ${found}; expected ${expected}`,
      this.#options,
    )
  }
}

/** A graph whose weights lie in more files than this is not believed. */
const MOST_DATA_FILES = 100

/** The distinct files tensors lie in, relative to the folder of the graph. @throws BrokenFile for an unsafe name, or too many. */
export function dataFiles(graphPath: string, references: readonly Reference[]): string[] {
  const names = [...new Set(references.map(({ location = '' }) => withoutDot(location)))]
  refuseUnsafe(graphPath, names)
  return names
}

function refuseUnsafe(graphPath: string, names: readonly string[]): void {
  const unsafe = names.find((name) => !isSafeFileName(name))
  if (unsafe !== undefined) {
    throw new BrokenFile(graphPath, `its weights are said to lie in ${quote(unsafe)}, outside its folder`)
  }
  if (names.length > MOST_DATA_FILES) {
    throw new BrokenFile(graphPath, `${names.length} files of weights, more than ${MOST_DATA_FILES}`)
  }
}

/** Some exporters write `./weights` for `weights`. */
function withoutDot(location: string): string {
  return location.replace(/^(?:\.\/)+/, '')
}

/** A regular file of the model. @throws BrokenFile */
export function fileInside(places: FilePlaces, path: string, options: BrokenFileOptions): WeightFile {
  const { size } = regularFile(path, options)
  const real = places.find(path)
  if (real !== undefined) return { path, real, size }
  throw new BrokenFile(path, "a link that leads outside the model's folder", {
    repair: 'remove the link, or put the file itself there',
  })
}

/** @throws BrokenFile where there is no regular file. */
export function regularFile(path: string, options: BrokenFileOptions): Stats {
  let status: Stats
  try {
    status = statSync(path)
  } catch (cause) {
    throw new BrokenFile(path, `missing (${(cause as NodeJS.ErrnoException).code})`, { ...options, cause })
  }
  if (!status.isFile()) throw new BrokenFile(path, 'not a regular file', options)
  return status
}

/** `undefined` for a type whose size is not known here. @throws BrokenFile for sizes no file can have. */
function tensorBytes({ type, dims }: TensorFacts, graphPath: string): number | undefined {
  const bits = ELEMENT_BITS[type]
  const count = dims.reduce((a, b) => a * b, 1)
  if (dims.some((size) => !isCount(size)) || !isCount(count)) {
    throw new BrokenFile(graphPath, `a tensor of shape [${dims.slice(0, 8).join(', ')}]`)
  }
  return bits === undefined ? undefined : Math.ceil((count * bits) / 8)
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0
}

/** The deepest folder that is above, or is, `folder` and holds `path`. */
function commonFolder(folder: string, path: string): string {
  if (isBelow(folder, path)) return folder
  const above = dirname(folder)
  if (above !== folder) return commonFolder(above, path)
  throw new BrokenFile(path, 'on another disk than the graph')
}

function isBelow(folder: string, path: string): boolean {
  return path.startsWith(folder.endsWith(sep) ? folder : folder + sep)
}

/** The path of a file relative to a folder above it, as a graph names it. */
function nameBelow(folder: string, path: string): string {
  const name = path.slice(folder.length + (folder.endsWith(sep) ? 0 : 1))
  return sep === '/' ? name : name.split(sep).join('/')
}
