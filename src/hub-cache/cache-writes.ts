import {
  closeSync,
  constants,
  fsyncSync,
  openSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { statusOf } from '../system/list-files.ts'
import { makeFolderBelow } from '../system/make-folder.ts'
import { scratchPath, writeWhole } from '../system/write-whole.ts'
import { noteOf, type RepoCache } from './hub-cache.ts'

// How the cache is changed. Others may write to it as well, so no folder is entered through a link of theirs, and
// everything is made under a name nobody else uses and then renamed.

/** Creates the folders of a repository, so that even an unfinished download is a cache that Python can read. */
export function makeRepoFolders({ root, folder, locks }: RepoCache): void {
  for (const name of ['snapshots', 'blobs', 'refs']) makeFolderBelow(root, join(folder, name))
  makeFolderBelow(root, locks)
}

/** Marks the cache as one, for backup programs. */
export function tagCache(root: string): void {
  const text = 'Signature: 8a477f597d28d172789f06886806bc55\n# Models of the Hugging Face hub.\n'
  try {
    writeFileSync(join(root, 'CACHEDIR.TAG'), text, { flag: 'wx' })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
}

/** Makes the entries of a folder durable, on systems that can. */
export function syncFolder(folder: string): void {
  let handle: number
  try {
    handle = openSync(folder, constants.O_RDONLY | (constants.O_DIRECTORY ?? 0))
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

/** Makes `pointer` a relative symlink to `blob`; where there are no symlinks, or `copy` is set, the blob itself moves. */
export function pointTo(
  pointer: string,
  blob: string,
  { cache, copy }: { cache: RepoCache; copy: boolean },
): void {
  makeFolderBelow(cache.root, dirname(pointer))
  const temporary = scratchPath(cache.scratch)
  if (copy || !trySymlink(wayTo(blob, dirname(pointer)), temporary)) renameSync(blob, pointer)
  else renameOrRemove(temporary, pointer)
}

/** The target of a link in `folder`: relative, but where `folder` really lies elsewhere and that would miss the blob. */
function wayTo(blob: string, folder: string): string {
  const way = relative(folder, blob)
  const found = statusOf(resolve(realpathSync.native(folder), way))
  return found !== undefined && found.ino === statusOf(blob)?.ino ? way : resolve(blob)
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

function renameOrRemove(temporary: string, path: string): void {
  try {
    renameSync(temporary, path)
  } catch (error) {
    rmSync(temporary, { force: true })
    throw error
  }
}

/** Writes a small file of the cache; nothing where it already says so. */
export function writeNote(path: string, text: string, { root, scratch }: RepoCache): void {
  if (noteOf(path) === text) return
  makeFolderBelow(root, dirname(path))
  writeWhole(path, text, { scratch })
}
