/**
 * The one way files are written: under a name nobody else uses, then renamed, so that a reader, or a process that dies,
 * sees the old or the new and nothing in between. What others may have put at that name is never written to.
 */
import {
  closeSync,
  fchmodSync,
  fsyncSync,
  openSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  statfsSync,
  writeSync,
} from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { lifeOf, newIdentity } from './process-identity.ts'

interface WriteWholeOptions {
  /** Waits until the disk has it. Default true; a file that says itself whether it is whole need not. */
  readonly flush?: boolean
  /** Permissions of the new file; default: what the user's umask leaves. */
  readonly mode?: number | undefined
  /** A folder of the same file system for what is not whole yet; default: the file's own. */
  readonly scratch?: string
}

/** Writes a file whole or not at all. A link in its place is replaced. @throws what the file system says. */
export function writeWhole(
  path: string,
  content: Uint8Array | string,
  options: WriteWholeOptions = {},
): void {
  const file = new UnfinishedFile(path, options)
  try {
    file.write(content)
    file.commit()
  } catch (error) {
    file.discard()
    throw error
  }
}

/** A file that grows under another name. Whoever begins it commits or discards it. */
export class UnfinishedFile {
  readonly #path: string
  readonly #temporary: string
  readonly #options: WriteWholeOptions
  #handle: number | undefined

  constructor(path: string, options: WriteWholeOptions = {}) {
    this.#path = path
    this.#options = options
    this.#temporary = scratchPath(options.scratch ?? dirname(path))
    this.#handle = openSync(this.#temporary, 'wx', options.mode ?? 0o666)
  }

  /** @throws what the file system says. */
  write(content: Uint8Array | string): void {
    const bytes = typeof content === 'string' ? Buffer.from(content) : content
    for (let done = 0; done < bytes.length; ) done += writeSync(this.#handle!, bytes, done)
  }

  /** Gives the file its name. @throws what the file system says. */
  commit(): void {
    const { flush = true, mode } = this.#options
    if (mode !== undefined) fchmodSync(this.#handle!, mode)
    if (flush) fsyncSync(this.#handle!)
    this.#close()
    renameSync(this.#temporary, this.#path)
  }

  /** Takes away what was written. Never throws. */
  discard(): void {
    try {
      this.#close()
      rmSync(this.#temporary, { force: true })
    } catch {
      // The first error is the one that matters.
    }
  }

  #close(): void {
    const handle = this.#handle
    this.#handle = undefined
    if (handle !== undefined) closeSync(handle)
  }
}

const SCRATCH = /^\.(\w+)\.tmp$/

/** A name in `folder` that nobody else uses. It does not grow with the name a file will have. */
export function scratchPath(folder: string): string {
  return join(folder, `.${newIdentity()}.tmp`)
}

/** Removes half-made things in `folder` whose maker is dead. */
export function sweepScratch(folder: string): void {
  for (const name of readdirSync(folder)) {
    const maker = SCRATCH.exec(name)?.[1]
    if (maker === undefined || lifeOf(maker) !== 'dead') continue
    try {
      rmSync(join(folder, name), { force: true })
    } catch {
      // Another user's, or no file at all: not ours to remove.
    }
  }
}

const MOST_LINKS = 40

/** The path that writing to `path` would write to: links followed, also to what is not there yet. */
export function linkTarget(path: string): string {
  let target = resolve(path)
  for (let links = 0; links < MOST_LINKS; links++) {
    try {
      target = resolve(dirname(target), readlinkSync(target))
    } catch {
      return target
    }
  }
  return target
}

/** How many bytes a cache in `folder` may hold in all, that holds `used` now: `most`, and no more than a share of what the disk has for it. */
export function cacheLimit(
  folder: string,
  used: number,
  { most, share }: { readonly most: number; readonly share: number },
): number {
  return Math.min(most, share * ((freeBytes(folder) ?? most) + used))
}

/** Bytes a file below `path` could have, if the system tells. */
export function freeBytes(path: string): number | undefined {
  for (let folder = path; ; folder = dirname(folder)) {
    try {
      const { bavail, bsize } = statfsSync(folder)
      return bavail * bsize
    } catch {
      if (dirname(folder) === folder) return undefined
    }
  }
}
