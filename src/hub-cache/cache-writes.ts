import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statfsSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { lifeOf, newIdentity } from '../system/process-identity.ts'

// How the cache is changed: everything is made under a name nobody else uses and then renamed, so that a reader, or a
// process that dies, sees the old or the new and nothing in between.

/** Creates the folders of a repository, so that even an unfinished download is a cache that Python can read. */
export function makeRepoFolders(folder: string): void {
  mkdirSync(join(folder, 'snapshots'), { recursive: true })
  mkdirSync(join(folder, 'blobs'), { recursive: true })
  mkdirSync(join(folder, 'refs'), { recursive: true })
}

/** Marks the cache as one, for backup programs. */
export function tagCache(root: string): void {
  const path = join(root, 'CACHEDIR.TAG')
  if (existsSync(path)) return
  writeFileSync(path, 'Signature: 8a477f597d28d172789f06886806bc55\n# Models of the Hugging Face hub.\n')
}

/** Makes the entries of a folder durable, on systems that can. */
export function syncFolder(folder: string): void {
  let handle: number
  try {
    handle = openSync(folder, 'r')
  } catch {
    return
  }
  try {
    fsyncSync(handle)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EIO') throw error
  } finally {
    closeSync(handle)
  }
}

/** Where and how to make things. */
export interface WriteOptions {
  /** A folder of the same file system whose odd names nobody reads: half-made things lie there. */
  readonly scratch: string
}

/** Makes `pointer` a relative symlink to `blob`; where there are no symlinks, or `copy` is set, the blob itself moves. */
export function pointTo(
  pointer: string,
  blob: string,
  { scratch, copy }: WriteOptions & { copy: boolean },
): void {
  mkdirSync(dirname(pointer), { recursive: true })
  const temporary = scratchPath(scratch)
  if (copy || !trySymlink(relative(dirname(pointer), blob), temporary)) renameSync(blob, pointer)
  else renameOrRemove(temporary, pointer)
}

function trySymlink(target: string, path: string): boolean {
  try {
    symlinkSync(target, path)
    return true
  } catch (error) {
    if (/^(EPERM|ENOSYS|ENOTSUP|EOPNOTSUPP|EINVAL)$/.test((error as NodeJS.ErrnoException).code ?? ''))
      return false
    throw error
  }
}

/** Writes a small file whole or not at all; nothing where it already says so. */
export function writeWhole(path: string, text: string, { scratch }: WriteOptions): void {
  if (textOf(path) === text) return
  mkdirSync(dirname(path), { recursive: true })
  const temporary = scratchPath(scratch)
  writeFileSync(temporary, text, { flush: true })
  renameOrRemove(temporary, path)
}

function renameOrRemove(temporary: string, path: string): void {
  try {
    renameSync(temporary, path)
  } catch (error) {
    rmSync(temporary, { force: true })
    throw error
  }
}

const SCRATCH = /^\.(\w+)\.tmp$/

function scratchPath(folder: string): string {
  return join(folder, `.${newIdentity()}.tmp`)
}

/** Removes half-made things in `folder` whose maker is dead. */
export function sweepScratch(folder: string): void {
  for (const name of readdirSync(folder)) {
    const maker = SCRATCH.exec(name)?.[1]
    if (maker !== undefined && lifeOf(maker) === 'dead') rmSync(join(folder, name), { force: true })
  }
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

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}
