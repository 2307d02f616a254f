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
import { basename, dirname, join, relative, resolve } from 'node:path'
import { HeldFolder, holding } from '../system/held-folder.ts'
import { statusOf } from '../system/list-files.ts'
import { scratchPath, sweepScratch, writeWhole } from '../system/write-whole.ts'
import { noteOf, type RepoCache } from './hub-cache.ts'
import { sweepPartials } from './partial-file.ts'

// How the cache is changed. Others may write to it as well, so no folder is entered through a link of theirs, what is changed
// lies in folders that are held, and everything is made under a name nobody else uses and then renamed.

/** Creates the folders of a repository, so that even an unfinished download is a cache that Python can read. */
export function makeRepoFolders({ root, folder, locks }: RepoCache): void {
  const parts = ['snapshots', 'blobs', 'refs'].map((name) => join(folder, name))
  for (const path of [...parts, locks]) HeldFolder.open(root, path).close()
}

/** Removes what dead processes, or others long ago, have left unfinished. */
export function sweepCache({ root, scratch }: RepoCache): void {
  holding(root, [scratch], (folder) => {
    sweepScratch(folder!)
    sweepPartials(folder!)
  })
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
  { cache: { root, scratch }, copy }: { cache: RepoCache; copy: boolean },
): void {
  holding(root, [dirname(pointer), dirname(blob), scratch], (folder, blobs, unfinished) => {
    const [place, source] = [join(folder!, basename(pointer)), join(blobs!, basename(blob))]
    const temporary = scratchPath(unfinished!)
    if (copy || !trySymlink(wayTo(source, { pointer, blob, place }), temporary)) renameSync(source, place)
    else renameOrRemove(temporary, place)
  })
}

interface Way {
  readonly pointer: string
  readonly blob: string
  /** Where the pointer will be, in the folder as it is held. */
  readonly place: string
}

/** What a pointer says: relative, but where its folder really lies elsewhere and that would miss the blob. */
function wayTo(source: string, { pointer, blob, place }: Way): string {
  const way = relative(dirname(pointer), blob)
  const found = statusOf(resolve(realpathSync.native(dirname(place)), way))
  return found !== undefined && found.ino === statusOf(source)?.ino ? way : resolve(blob)
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
  holding(root, [dirname(path), scratch], (folder, unfinished) => {
    writeWhole(join(folder!, basename(path)), text, { scratch: unfinished! })
  })
}
