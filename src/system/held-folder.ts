/**
 * Folders that others may write to, held open: whatever they put in the place of one meanwhile, what is made, renamed or removed
 * in it is so in the folder that was looked at. Node has no openat; on Linux the path `/proc/self/fd/<number>` is the folder
 * behind a descriptor, however it is called now. Elsewhere the path itself has to do, looked at just before.
 */
import {
  closeSync,
  constants,
  existsSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  rmdirSync,
  rmSync,
  unlinkSync,
} from 'node:fs'
import { basename, dirname, join, relative, sep } from 'node:path'
import { SpoutError } from '../errors.ts'
import { foreignLink, isForeignLink, makeFolder, makeFolderBelow } from './make-folder.ts'

export interface HoldOptions {
  /** Makes the folders that are not there. Default true. */
  readonly make?: boolean
}

const HOLDS = process.platform === 'linux' && existsSync('/proc/self/fd')

export class HeldFolder {
  /** What names are put behind, to reach what is in it. */
  readonly path: string
  #handle: number | undefined

  private constructor(path: string, handle?: number) {
    this.path = path
    this.#handle = handle
  }

  /**
   * The folder `path`, which is `root` or below it: no link of another user's is followed below `root`. Whoever opens it closes it.
   * @throws SpoutError `permission` for such a link, or what the file system says.
   */
  static open(root: string, path: string, { make = true }: HoldOptions = {}): HeldFolder {
    if (!HOLDS) {
      makeFolderBelow(root, path, { make })
      return new HeldFolder(path)
    }
    if (make) makeFolder(root)
    let handle = openSync(root, FOLDER)
    try {
      let at = root
      for (const part of relative(root, path).split(sep).filter(Boolean)) {
        at = join(at, part)
        const next = enter(join(pathOf(handle), part), { make, named: at })
        closeSync(handle)
        handle = next
      }
    } catch (error) {
      closeSync(handle)
      throw error
    }
    return new HeldFolder(pathOf(handle), handle)
  }

  /** Once: by then the number may be another file's. */
  close(): void {
    const handle = this.#handle
    this.#handle = undefined
    if (handle !== undefined) closeSync(handle)
  }
}

/** Does something with folders that are held meanwhile. */
export function holding<T>(root: string, paths: readonly string[], act: (...held: string[]) => T): T {
  const held: HeldFolder[] = []
  try {
    for (const path of paths) held.push(HeldFolder.open(root, path))
    return act(...held.map(({ path }) => path))
  } finally {
    for (const folder of held) folder.close()
  }
}

const FOLDER = constants.O_RDONLY | (constants.O_DIRECTORY ?? 0)

function pathOf(handle: number): string {
  return `/proc/self/fd/${handle}`
}

/** Opens the folder at `path`, whose folder is held. @param named what the user calls it */
function enter(path: string, { make, named }: { make: boolean; named: string }): number {
  if (make) makeOne(path)
  try {
    return openSync(path, FOLDER | constants.O_NOFOLLOW)
  } catch (error) {
    if (!/^(ELOOP|ENOTDIR)$/.test((error as NodeJS.ErrnoException).code ?? '')) throw error
  }
  const before = linkAt(path, named)
  const handle = openSync(path, FOLDER)
  const after = linkAt(path, named)
  // Nobody else can make a link of ours, and one that was put away and back has another ctime.
  if (before.ino === after.ino && before.ctimeNs === after.ctimeNs) return handle
  closeSync(handle)
  throw new SpoutError('permission', `${named}: another process changes it at this moment`)
}

function linkAt(path: string, named: string) {
  const status = lstatSync(path, { bigint: true })
  if (isForeignLink(status)) throw foreignLink(named)
  return status
}

function makeOne(path: string): void {
  try {
    mkdirSync(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
}

/**
 * Removes what is at `path`, below `root`, with all in it; no link is followed on the way, nor in it. Nothing where there is nothing.
 * @throws SpoutError `permission` for a folder on the way that is another user's link, or what the file system says.
 */
export function removeBelow(root: string, path: string): void {
  if (!HOLDS) {
    rmSync(path, { recursive: true, force: true })
    return
  }
  let folder: HeldFolder
  try {
    folder = HeldFolder.open(root, dirname(path), { make: false })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return
    throw error
  }
  try {
    removeTree(join(folder.path, basename(path)))
  } finally {
    folder.close()
  }
}

/** @param path of an entry of a folder that is held. What another process removes meanwhile is gone as well. */
function removeTree(path: string): void {
  try {
    if (lstatSync(path).isDirectory()) removeFolder(path)
    else unlinkSync(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
}

function removeFolder(path: string): void {
  const handle = openSync(path, FOLDER | constants.O_NOFOLLOW)
  try {
    for (const name of readdirSync(pathOf(handle))) removeTree(join(pathOf(handle), name))
  } finally {
    closeSync(handle)
  }
  rmdirSync(path)
}
