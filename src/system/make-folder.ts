/**
 * Folders, made with those above them. Not by Node's own `recursive`, which asks for ever where a file system says of a
 * folder that is there that it is not (below /proc, for one).
 */
import { type BigIntStats, lstatSync, mkdirSync, type Stats, statSync } from 'node:fs'
import { dirname, join, relative, sep } from 'node:path'
import { SpoutError } from '../errors.ts'
import { isOurs } from './regular-file.ts'

/** Makes a folder where there is none. @param mode of the folders it makes. @throws what the file system says. */
export function makeFolder(path: string, mode = 0o777): void {
  if (isFolder(path)) return
  try {
    mkdirSync(path, { mode })
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EEXIST' && isFolder(path)) return
    const above = dirname(path)
    if (code !== 'ENOENT' || above === path || isFolder(above)) throw error
    makeFolder(above, mode)
    makeFolder(path, mode)
  }
}

/**
 * Makes the folder `path` below `root`, in which others may write: no link that one of them has put there is followed.
 * Without `make` it is only looked at.
 * @throws SpoutError `permission` for such a link, or what the file system says.
 */
export function makeFolderBelow(root: string, path: string, { make = true } = {}): void {
  if (make) makeFolder(root)
  let at = root
  for (const part of relative(root, path).split(sep).filter(Boolean)) {
    at = join(at, part)
    refuseForeignLink(at)
    if (make) makeFolder(at)
  }
}

/** @throws SpoutError `permission` where `path` is a link of another user's, which may lead anywhere. */
export function refuseForeignLink(path: string): void {
  const status = lstatSync(path, { throwIfNoEntry: false })
  if (status !== undefined && isForeignLink(status)) throw foreignLink(path)
}

/** Whether it is a link of neither this user nor root. */
export function isForeignLink(status: Stats | BigIntStats): boolean {
  const uid = Number(status.uid)
  return status.isSymbolicLink() && uid !== 0 && !isOurs(uid)
}

export function foreignLink(path: string): SpoutError {
  return new SpoutError('permission', `${path}: a link that another user has put there`, {
    hint: 'remove it, or use a cache of your own: HF_HUB_CACHE=<folder>',
  })
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false
}
