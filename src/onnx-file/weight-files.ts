/**
 * Where weights lie. A hub snapshot is made of links into a folder of blobs; ONNX Runtime refuses a link that leaves
 * the model's folder, so references name the real files, all in one folder. Every reference is checked before the
 * runtime sees it: inside the model, there, and long enough.
 */
import { realpathSync, statSync } from 'node:fs'
import { basename, dirname, isAbsolute, join, resolve, sep } from 'node:path'
import { SpoutError } from '../errors.ts'
import { quote } from '../system/text-display.ts'
import { ELEMENT_BITS } from './fields.ts'
import type { TensorFacts } from './tensor-parts.ts'

/** The entries of a tensor's external_data: location, offset, length and others. */
export type Reference = Readonly<Record<string, string>>

interface WeightFile {
  /** Below `folder`. */
  readonly name: string
  readonly size: number
}

const AGAIN = { hint: 'download the model again, with all its files' }

export class WeightFiles {
  readonly folder: string
  /** The graph's own file, below `folder`. */
  readonly self: string
  readonly #path: string
  readonly #linkFolder: string
  readonly #files = new Map<string, WeightFile>()

  /** @param path of the graph, as a link or the file itself. */
  constructor(path: string) {
    const real = realpathSync(path)
    this.folder = dirname(real)
    this.self = basename(real)
    this.#path = resolve(path)
    this.#linkFolder = dirname(this.#path)
  }

  /** Every file that was referred to, the graph's own first, as the model has them: links stay links. */
  get paths(): string[] {
    const locations = [...this.#files]
      .filter(([, { name }]) => name !== this.self)
      .map(([location]) => location)
    return [this.#path, ...locations.map((location) => join(this.#linkFolder, location))]
  }

  /**
   * The reference in terms of `folder`.
   * @throws SpoutError `config` naming tensor and file when the bytes are not all there, or lie outside the model.
   */
  resolve(reference: Reference, tensor: string, facts: TensorFacts): Reference {
    const location = reference.location ?? ''
    let file = this.#files.get(location)
    if (file === undefined) {
      file = this.#find(location, tensor)
      this.#files.set(location, file)
    }
    checkRange(reference, file.size, { tensor, location, needed: tensorBytes(facts) })
    return { ...reference, location: file.name }
  }

  #find(location: string, tensor: string): WeightFile {
    if (isAbsolute(location) || location.split(/[\\/]/).includes('..')) throw outside(location, tensor)
    const path = join(this.#linkFolder, location)
    let real: string
    try {
      real = realpathSync(path)
    } catch (cause) {
      throw new SpoutError('config', `model weights: ${quote(location)} is missing`, { ...AGAIN, cause })
    }
    if (!real.startsWith(this.folder + sep)) throw outside(location, tensor)
    const status = statSync(real)
    if (!status.isFile()) throw new SpoutError('config', `model weights: ${quote(location)} is not a file`)
    return { name: real.slice(this.folder.length + 1), size: status.size }
  }
}

function checkRange(
  reference: Reference,
  size: number,
  { tensor, location, needed }: { tensor: string; location: string; needed: number | undefined },
): void {
  const offset = Number(reference.offset ?? 0)
  const length = Number(reference.length ?? needed ?? 0)
  if (!isCount(offset) || !isCount(length) || (needed !== undefined && length !== needed)) {
    const found = `offset ${quote(reference.offset)}, length ${quote(reference.length)}`
    const expected = needed === undefined ? 'numbers' : `a length of ${needed}`
    throw new SpoutError(
      'config',
      `model weights: ${quote(tensor)} has ${found}; expected ${expected}`,
      AGAIN,
    )
  }
  if (offset + length > size) {
    throw new SpoutError(
      'config',
      `model weights: ${quote(location)} has ${size} bytes; ${quote(tensor)} needs ${offset + length}`,
      AGAIN,
    )
  }
}

/** `undefined` for a type whose size is not known here. @throws SpoutError `config` for sizes no file can have. */
function tensorBytes({ type, dims }: TensorFacts): number | undefined {
  const bits = ELEMENT_BITS[type]
  const count = dims.reduce((a, b) => a * b, 1)
  if (dims.some((size) => !isCount(size)) || !isCount(count)) {
    throw new SpoutError('config', `model weights: a tensor of shape [${dims.slice(0, 8).join(', ')}]`)
  }
  return bits === undefined ? undefined : Math.ceil((count * bits) / 8)
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0
}

function outside(location: string, tensor: string): SpoutError {
  return new SpoutError(
    'config',
    `model weights: ${quote(tensor)} lies outside the model, in ${quote(location)}`,
  )
}
