/**
 * A file that must stay the one it is (it has other names, another owner, a mount on it), so it is not replaced by renaming: what is
 * written is collected until the end, and then put into it.
 */
import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readFileSync,
  writeSync,
} from 'node:fs'

export class BufferedFile {
  readonly #path: string
  #pieces: Uint8Array[] = []

  constructor(path: string) {
    this.#path = path
  }

  write(bytes: Uint8Array): void {
    this.#pieces.push(bytes)
  }

  commit(): void {
    writeInPlace(this.#path, Buffer.concat(this.#pieces))
  }

  discard(): void {
    this.#pieces = []
  }
}

/** More is not kept in memory to put it back. */
const LARGEST_KEPT = 256 << 20

/** Puts the old content back when the new one cannot be written to its end. */
export function writeInPlace(path: string, bytes: Uint8Array): void {
  const file = openSync(path, constants.O_WRONLY)
  try {
    const before = fstatSync(file).size > LARGEST_KEPT ? undefined : contentOf(path)
    try {
      replaceContent(file, bytes)
    } catch (cause) {
      if (before !== undefined) replaceContent(file, before)
      throw cause
    }
  } finally {
    closeSync(file)
  }
}

function replaceContent(file: number, bytes: Uint8Array): void {
  writeAll(file, bytes, 0)
  ftruncateSync(file, bytes.length)
  fsyncSync(file)
}

function contentOf(path: string): Uint8Array | undefined {
  try {
    return readFileSync(path)
  } catch {
    return undefined
  }
}

/** @param start where in the file; absent: where it stands */
export function writeAll(file: number, bytes: Uint8Array, start?: number): void {
  for (let done = 0; done < bytes.length; ) {
    done += writeSync(file, bytes, done, bytes.length - done, start === undefined ? null : start + done)
  }
}
