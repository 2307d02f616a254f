import type { Hash } from 'node:crypto'
import {
  closeSync,
  constants,
  lstatSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  unlinkSync,
  writeSync,
} from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { namesIn } from '../system/or-nothing.ts'
import { isIdentity, lifeOf, newIdentity } from '../system/process-identity.ts'
import { isOwnFile, openRegular } from '../system/regular-file.ts'
import { createBlobHash, hashFile } from './blob-hash.ts'

// The part of a blob that has arrived. It lies beside the blob as `<etag>.<whose>.incomplete`: nobody else writes to
// a file of that name, and who finds one whose owner is dead may take it over by renaming it, which only one can. A
// copy is taken where that process may only sleep: it holds the file open, and could write to it after the blob got its final name.
// Whoever else can write to the folder may have put something there under such a name: a link, a pipe, a file of another
// user's, or a second name of a file of ours. Only a plain file of our own is gone on with; looked at again once it is open.

const QUIET_MS = 5 * 60_000
const SWEEP_MS = 24 * 3_600_000
/** Names of partial files this process is writing. */
const ours = new Set<string>()

/** A blob being received: bytes so far, their hash, and the file they are in. */
export class PartialFile {
  readonly path: string
  readonly #etag: string
  readonly #size: number
  readonly #file: FileHandle
  #hash: Hash
  #received = 0

  private constructor(path: string, file: FileHandle, { etag, size }: { etag: string; size: number }) {
    this.path = path
    this.#file = file
    this.#etag = etag
    this.#size = size
    this.#hash = createBlobHash(etag, size)
  }

  /** Opens a new partial file for `blob`, or goes on with one that a dead process has left. */
  static async open(blobPath: string, size: number, signal?: AbortSignal): Promise<PartialFile> {
    const etag = basename(blobPath)
    const path = `${blobPath}.${newIdentity()}.incomplete`
    ours.add(basename(path))
    const file = await openOurs(path, adopt(blobPath, path))
    const partial = new PartialFile(path, file, { etag, size })
    try {
      await partial.#readBack(signal)
      return partial
    } catch (error) {
      await partial.close()
      throw error
    }
  }

  get received(): number {
    return this.#received
  }

  async append(chunk: Buffer): Promise<void> {
    for (let done = 0; done < chunk.length; ) {
      const { bytesWritten } = await this.#file.write(chunk, done, chunk.length - done, this.#received + done)
      done += bytesWritten
    }
    this.#hash.update(chunk)
    this.#received += chunk.length
  }

  /** Forgets what was received. */
  async restart(): Promise<void> {
    await this.#file.truncate(0)
    this.#hash = createBlobHash(this.#etag, this.#size)
    this.#received = 0
  }

  /** The hash of all bytes; nothing can be appended afterwards but after `restart`. */
  digest(): string {
    return this.#hash.digest('hex')
  }

  /** Makes the bytes durable and gives them their final name. */
  async commit(blobPath: string): Promise<void> {
    await this.#file.sync()
    await this.close()
    renameSync(this.path, blobPath)
    removeLeft(blobPath)
  }

  /** Leaves the file for whoever goes on with it. */
  async close(): Promise<void> {
    ours.delete(basename(this.path))
    await this.#file.close()
  }

  /** Closes and removes the file. */
  async remove(): Promise<void> {
    await this.close()
    unlinkSync(this.path)
  }

  async #readBack(signal: AbortSignal | undefined): Promise<void> {
    const { size } = await this.#file.stat()
    if (size > this.#size) return this.restart()
    await hashFile(this.#file.fd, this.#hash, { bytes: size, signal })
    this.#received = size
  }
}

async function openOurs(path: string, adopted: boolean): Promise<FileHandle> {
  try {
    return (adopted ? await openAdopted(path) : undefined) ?? (await open(path, 'wx+'))
  } catch (error) {
    ours.delete(basename(path))
    throw error
  }
}

/** What was taken over, if it is what it was when it was looked at; else it loses its name. */
async function openAdopted(path: string): Promise<FileHandle | undefined> {
  let file: FileHandle | undefined
  try {
    file = await open(path, constants.O_RDWR | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0))
    if (isOwnFile(await file.stat())) return file
  } catch {
    // A link, or gone.
  }
  await file?.close()
  rmSync(path, { force: true })
  return undefined
}

/** Bytes of a blob that an earlier download has left and the next one need not fetch. */
export function bytesLeft(blobPath: string): number {
  const left = partialsIn(dirname(blobPath)).filter((partial) => partial.etag === basename(blobPath))
  return Math.max(0, ...left.map((partial) => partial.size))
}

/** Puts the longest partial file of a blob that nobody writes to any more at `path`. */
function adopt(blobPath: string, path: string): boolean {
  const left = partialsIn(dirname(blobPath)).filter((partial) => partial.etag === basename(blobPath))
  return left.sort((a, b) => b.size - a.size).some((partial) => takeOver(partial, path))
}

function takeOver(partial: Partial, path: string): boolean {
  try {
    if (isLeft(partial)) renameSync(partial.path, path)
    else if (Date.now() - partial.touched < QUIET_MS) return false
    else copyOwn(partial.path, path)
    return true
  } catch {
    // Another process was faster; there may be a second one.
    return false
  }
}

const SLICE = 2 ** 20

/** Copies a file of this user's, and nothing else, to a new one. */
function copyOwn(from: string, to: string): void {
  const source = openRegular(from, { own: true })
  try {
    const copy = openSync(to, 'wx')
    try {
      const slice = Buffer.allocUnsafe(SLICE)
      for (let read = readSync(source, slice); read > 0; read = readSync(source, slice)) {
        for (let done = 0; done < read; ) done += writeSync(copy, slice, done, read - done)
      }
    } catch (error) {
      rmSync(to, { force: true })
      throw error
    } finally {
      closeSync(copy)
    }
  } finally {
    closeSync(source)
  }
}

/** Removes what dead processes have left of a blob that is now whole. */
function removeLeft(blobPath: string): void {
  const left = partialsIn(dirname(blobPath)).filter((p) => p.etag === basename(blobPath) && isLeft(p))
  for (const { path } of left) rmSync(path, { force: true })
}

/** Removes partial files in `folder` that nobody has touched for a day and whose owner is not known to live. */
export function sweepPartials(folder: string, now = Date.now()): void {
  for (const partial of partialsIn(folder)) {
    if (
      now - partial.touched < SWEEP_MS ||
      lifeOf(partial.owner) === 'alive' ||
      ours.has(basename(partial.path))
    )
      continue
    rmSync(partial.path, { force: true })
  }
}

interface Partial {
  readonly path: string
  readonly etag: string
  readonly owner: string
  readonly size: number
  readonly touched: number
}

/** Whether nobody can write to it any more. */
function isLeft({ path, owner }: Partial): boolean {
  const life = lifeOf(owner)
  return life === 'dead' || (life === 'self' && !ours.has(basename(path)))
}

/** Partial files that a process of this user's, now or once, has written. Those of other tools and users are not touched. */
function partialsIn(folder: string): Partial[] {
  return namesIn(folder).flatMap((name) => {
    const [, etag, owner] = /^([0-9a-f]{40}|[0-9a-f]{64})\.(\w+)\.incomplete$/.exec(name) ?? []
    if (etag === undefined || owner === undefined || !isIdentity(owner)) return []
    const path = join(folder, name)
    const status = lstatSync(path, { throwIfNoEntry: false })
    return status !== undefined && isOwnFile(status)
      ? [{ path, etag, owner, size: status.size, touched: status.mtimeMs }]
      : []
  })
}
