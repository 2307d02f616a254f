/**
 * A file that is written as a whole. It grows under another name beside it and takes its name at the end; where that
 * would be another file than before (other names, another owner, a mount) it is written in place.
 */
import {
  accessSync,
  chmodSync,
  closeSync,
  constants,
  fchownSync,
  fstatSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  type Stats,
  unlinkSync,
} from 'node:fs'
import { dirname } from 'node:path'
import { scratchPath } from '../system/write-whole.ts'
import { BufferedFile, writeAll, writeInPlace } from './in-place-file.ts'
import type { OutputTarget } from './output-path.ts'
import { type Output, outputError } from './stdout.ts'

export interface FileOutput extends Output {
  /** What is written is shown at once, on a terminal. */
  readonly isTerminal: boolean
  /** The answer is whole: the file takes its name. */
  commit(): void
  /** Takes away what was written. */
  discard(): void
}

export interface FileOutputOptions {
  /** Of a file that is made. Default: as the umask has it. */
  readonly mode?: number
}

type FileTarget = OutputTarget & { kind: 'file' }

/** @throws what the file system says when the file could not be written. */
export function openWholeFile(
  name: string,
  { path, old }: FileTarget,
  options: FileOutputOptions,
): FileOutput {
  if (old === undefined) accessSync(dirname(path), constants.W_OK | constants.X_OK)
  else accessSync(path, constants.W_OK)
  const store =
    old !== undefined && onlyInPlace(path, old)
      ? new BufferedFile(path)
      : new NewFile(path, old, options.mode)
  const told = <T>(act: () => T): T => {
    try {
      return act()
    } catch (cause) {
      throw outputError(name, cause)
    }
  }
  return {
    isTerminal: false,
    write(text) {
      try {
        return told(() => void store.write(Buffer.from(text)))
      } catch (error) {
        return Promise.reject(error)
      }
    },
    async flush() {},
    commit: () => told(() => store.commit()),
    discard: () => store.discard(),
  }
}

/** A new file under this name would have lost its other names or its owner, or cannot be made. */
function onlyInPlace(path: string, old: Stats): boolean {
  if (old.nlink > 1 || (process.geteuid !== undefined && old.uid !== process.geteuid())) return true
  try {
    accessSync(dirname(path), constants.W_OK | constants.X_OK)
    return false
  } catch {
    return true
  }
}

/** Another file, which takes the name at the end. */
class NewFile {
  readonly #path: string
  readonly #old: Stats | undefined
  readonly #mode: number
  readonly #temporary: string
  #file: number | undefined

  constructor(path: string, old: Stats | undefined, mode = 0o666) {
    this.#path = path
    this.#old = old
    this.#mode = old === undefined ? mode : 0o600
    this.#temporary = scratchPath(dirname(path))
  }

  write(bytes: Uint8Array): void {
    writeAll(this.#open(), bytes)
  }

  commit(): void {
    try {
      const file = this.#open()
      fsyncSync(file)
      const isSame = this.#old === undefined || keepOwner(file, this.#old)
      closeSync(file)
      this.#file = undefined
      if (this.#old !== undefined) chmodSync(this.#temporary, this.#old.mode & 0o7777)
      if (isSame && this.#rename()) return
      writeInPlace(this.#path, readFileSync(this.#temporary))
      this.discard()
    } catch (cause) {
      this.discard()
      throw cause
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

  #open(): number {
    this.#file ??= openSync(this.#temporary, 'wx', this.#mode)
    return this.#file
  }

  /** False where a file cannot be replaced but may be written: a mount of its own, a folder with a sticky bit. */
  #rename(): boolean {
    try {
      renameSync(this.#temporary, this.#path)
      return true
    } catch (cause) {
      const { code } = cause as NodeJS.ErrnoException
      if (this.#old === undefined || !/^(EBUSY|EXDEV|EPERM|EACCES)$/.test(`${code}`)) throw cause
      return false
    }
  }
}

/** Gives a new file the group of the old one. */
function keepOwner(file: number, old: Stats): boolean {
  const { uid, gid } = fstatSync(file)
  if (gid === old.gid) return true
  try {
    fchownSync(file, uid, old.gid)
    return true
  } catch {
    return false
  }
}
