/**
 * Where the files of a model may really lie. A graph names files, and none outside the model may become readable through it;
 * links, though, are how caches and users keep bytes once. Whose links are they? In a folder of any kind they may have come
 * with the model, in an archive or a clone: there the rule is ONNX Runtime's own. In the hub cache a download makes only links
 * into `blobs`; a link in the place of a folder of the cache, or of a blob, is the work of its owner.
 */
import { lstatSync, readlinkSync, realpathSync, statSync } from 'node:fs'
import { basename, dirname, join, resolve, sep } from 'node:path'
import { isForeignLink } from '../system/make-folder.ts'

/** Tells whether a file of a model may be read, and where it is. */
export interface FilePlaces {
  /** Whether the model is one of the hub cache, whose small files are checked as well. */
  readonly isCached: boolean
  /** The real path of what `path` names, if that is inside the model. @throws what the file system says where nothing is there. */
  find(path: string): string | undefined
}

/** The places of the model whose graph is at `graphPath`, a link or the file itself. */
export function filePlaces(graphPath: string): FilePlaces {
  const folder = dirname(resolve(graphPath))
  const cached = /^(.*[\\/]models--[^\\/]+)[\\/]snapshots[\\/][0-9a-f]{40}(?:[\\/]|$)/.exec(folder)
  if (cached !== null) return cachedPlaces(cached[1]!, folder)
  const roots = [...realPath(folder), ...realPath(graphPath).map(dirname)]
  return { isCached: false, find: (path) => below(roots, realpathSync.native(path)) }
}

function realPathOf(path: string): string {
  return realPath(path)[0] ?? path
}

/** @param repo the folder of the repository in the cache @param folder of the graph, below a snapshot */
function cachedPlaces(repo: string, folder: string): FilePlaces {
  const owner = statSync(dirname(repo)).uid
  const shelves = [join(repo, 'blobs'), join(dirname(repo), 'blobs')]
  const foreign = (path: string): boolean => isPlanted(path, owner)
  const folders = foldersBetween(repo, folder)
  const [firstForeign = folders.length] = folders.flatMap((path, i) => (foreign(path) ? [i] : []))
  const ownShelves = shelves.filter((path) => !foreign(path))
  const roots = [repo, ...ownShelves, ...folders.slice(0, firstForeign)].flatMap(realPath)
  const realShelves = ownShelves.flatMap(realPath)
  const find = (path: string): string | undefined => {
    const real = realpathSync.native(path)
    return below(roots, real) ?? (passesBlob(path, realShelves, owner) ? real : undefined)
  }
  return { isCached: true, find }
}

/** `snapshots`, and what is between it and `folder`, which is the last. */
function foldersBetween(repo: string, folder: string): string[] {
  return folder === repo ? [] : [...foldersBetween(repo, dirname(folder)), folder]
}

const MOST_LINKS = 40

/** Whether the links from `path` on pass a blob that is itself a link, set by who owns the cache: into a store of theirs. */
function passesBlob(path: string, shelves: readonly string[], owner: number): boolean {
  let at = path
  for (let links = 0; links < MOST_LINKS; links++) {
    const entry = join(realPathOf(dirname(at)), basename(at))
    if (!lstatSync(entry).isSymbolicLink()) return false
    if (isPlanted(entry, owner)) return false
    if (shelves.includes(dirname(entry))) return true
    at = resolve(dirname(entry), readlinkSync(entry))
  }
  return false
}

/** Whether `path` is a link of neither this user nor root nor the owner of the cache: it may have been planted. */
function isPlanted(path: string, owner: number): boolean {
  const status = lstatSync(path, { throwIfNoEntry: false })
  return status !== undefined && status.uid !== owner && isForeignLink(status)
}

function below(roots: readonly string[], real: string): string | undefined {
  return roots.some((root) => real.startsWith(root.endsWith(sep) ? root : root + sep)) ? real : undefined
}

function realPath(path: string): string[] {
  try {
    return [realpathSync.native(path)]
  } catch {
    return []
  }
}
