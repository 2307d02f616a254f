/**
 * `-o FILE`: the answer grows in a temporary file beside it and takes its name when it is whole. Until then, and
 * whenever anything fails, the old file is as it was.
 */
import { randomBytes } from 'node:crypto'
import {
  accessSync,
  chmodSync,
  closeSync,
  constants,
  createWriteStream,
  fsyncSync,
  openSync,
  realpathSync,
  renameSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { type Output, openStdout, outputError } from './stdout.ts'

export interface FileOutput extends Output {
  /** The answer is whole: the file takes its name. */
  commit(): void
  /** Takes away what was written. */
  discard(): void
}

/** @throws SpoutError `output` when no file can be made there; nothing has been written then. */
export function openFileOutput(path: string): FileOutput {
  const target = resolveLinks(path)
  const old = statSync(target, { throwIfNoEntry: false })
  if (old !== undefined && !old.isFile()) {
    if (old.isDirectory()) throw outputError(path, { code: 'EISDIR' })
    return deviceOutput(target)
  }
  try {
    accessSync(dirname(target), constants.W_OK | constants.X_OK)
  } catch (cause) {
    throw outputError(path, cause)
  }
  return new ReplacingFile(path, target, old?.mode)
}

/** Devices and pipes have no old content to keep. */
function deviceOutput(target: string): FileOutput {
  const { write, flush } = openStdout(createWriteStream(target))
  return { write, flush, commit: () => undefined, discard: () => undefined }
}

class ReplacingFile implements FileOutput {
  readonly #path: string
  readonly #target: string
  readonly #mode: number | undefined
  readonly #temporary: string
  #file: number | undefined

  constructor(path: string, target: string, mode: number | undefined) {
    this.#path = path
    this.#target = target
    this.#mode = mode
    const unique = `${process.pid}.${randomBytes(4).toString('hex')}`
    this.#temporary = join(dirname(target), `.${basename(target)}.${unique}.tmp`)
  }

  write(text: string): Promise<void> | undefined {
    try {
      this.#file ??= openSync(this.#temporary, 'wx')
      const bytes = Buffer.from(text)
      for (let done = 0; done < bytes.length; ) done += writeSync(this.#file, bytes, done)
      return undefined
    } catch (cause) {
      return Promise.reject(outputError(this.#path, cause))
    }
  }

  async flush(): Promise<void> {}

  commit(): void {
    try {
      const file = this.#file ?? openSync(this.#temporary, 'wx')
      this.#file = file
      fsyncSync(file)
      closeSync(file)
      this.#file = undefined
      if (this.#mode !== undefined) chmodSync(this.#temporary, this.#mode)
      renameSync(this.#temporary, this.#target)
    } catch (cause) {
      this.discard()
      throw outputError(this.#path, cause)
    }
  }

  discard(): void {
    try {
      if (this.#file !== undefined) closeSync(this.#file)
      this.#file = undefined
      unlinkSync(this.#temporary)
    } catch {
      // never made, or already gone
    }
  }
}

/** The file a link leads to, so that the link stays one. */
function resolveLinks(path: string): string {
  try {
    return realpathSync(path)
  } catch {
    return resolve(path)
  }
}
