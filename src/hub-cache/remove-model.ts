import { existsSync, lstatSync, readdirSync, rmdirSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { SpoutError } from '../errors.ts'
import { isEtag, isRevision, parseHubId } from '../model/model-id.ts'
import { holding, removeBelow } from '../system/held-folder.ts'
import { refuseForeignLink } from '../system/make-folder.ts'
import { cacheError } from './cache-errors.ts'
import { cachedCommit, type RepoCache, repoCache } from './hub-cache.ts'
import { type CachedSnapshot, refsOf, scanRepo } from './scan-cache.ts'

// Taking a model out of the cache. Names go before what they name: first the refs, then the snapshot, then the blobs
// that no other snapshot needs, so that a removal broken off leaves nothing that points to nothing. Whatever pointers
// and links say, only the snapshots and the blobs themselves are removed.

interface Removed {
  readonly repo: string
  readonly commits: readonly string[]
  /** Bytes of blobs that no remaining snapshot needs. */
  readonly freed: number
}

/**
 * Removes a model, or, where a revision is named, that revision alone. With `dryRun` it only tells.
 * Throws `not-found` where it is not cached, `cache` where it cannot be removed.
 */
export function removeModel(root: string, model: string, { dryRun = false } = {}): Removed {
  const { repo, revision } = parseHubId(model)
  const cache = repoCache(root, repo)
  const all = scanRepo(cache)
  const commit = model.includes('@') ? cachedCommit(cache, revision) : undefined
  const going = model.includes('@') ? all.filter((snapshot) => snapshot.commit === commit) : all
  if (going.length === 0 && (model.includes('@') || !existsSync(cache.folder))) {
    throw new SpoutError('not-found', `${model}: not in the cache`, { hint: 'spout models list --all' })
  }
  const files = filesOnlyOf(going, all, cache)
  const removed = {
    repo,
    commits: going.map((snapshot) => snapshot.commit),
    freed: [...files.values()].reduce((sum, size) => sum + size, 0),
  }
  if (dryRun) return removed
  try {
    refuseForeignLinks(cache)
    const refs = refsOf(cache)
    for (const { commit } of going)
      for (const ref of refs.get(commit) ?? []) if (isRevision(ref)) removeBelow(root, cache.ref(ref))
    for (const { folder, commit } of going) {
      removeBelow(root, folder)
      removeBelow(root, cache.tree(commit))
      removeBelow(root, join(cache.folder, '.no_exist', commit))
    }
    for (const file of files.keys()) removeBelow(root, file)
    if (going.length === all.length) removeRest(cache)
  } catch (error) {
    throw cacheError(error, cache.folder)
  }
  return removed
}

/** The files that go with the going snapshots and no other needs, with the bytes each frees. */
function filesOnlyOf(going: readonly CachedSnapshot[], all: readonly CachedSnapshot[], cache: RepoCache) {
  const staying = new Set(
    all.filter((s) => !going.includes(s)).flatMap((s) => s.files.map((file) => file.blob)),
  )
  const freed = new Map<string, number>()
  for (const { blob, size, name, folder } of going.flatMap(filesOf)) {
    // Whatever a pointer may lead to, only blobs of this model are removed; what lies in the snapshot goes with it.
    if (staying.has(blob) || !(isBlobOf(cache, blob) || blob === join(folder, name))) continue
    // A blob in Python's shared store is a link itself: only the link is ours to remove.
    freed.set(blob, lstatSync(blob).isSymbolicLink() ? 0 : size)
  }
  return freed
}

function filesOf({ files, folder }: CachedSnapshot) {
  return files.map((file) => ({ ...file, folder }))
}

function isBlobOf(cache: RepoCache, path: string): boolean {
  return isEtag(basename(path)) && path === cache.blob(basename(path))
}

/** @throws SpoutError `permission` where a folder that is removed from is a link of another user's. */
function refuseForeignLinks({ folder }: RepoCache): void {
  const names = ['', 'refs', 'snapshots', 'blobs', 'trees', '.no_exist']
  for (const name of names) refuseForeignLink(join(folder, name))
}

/** Removes the folder of a model that has no snapshot any more, and that of its locks when it is empty. */
function removeRest({ root, folder, locks }: RepoCache): void {
  removeBelow(root, folder)
  if (!existsSync(locks)) return
  holding(root, [dirname(locks)], (all) => {
    const path = join(all!, basename(locks))
    if (readdirSync(path).length === 0) rmdirSync(path)
  })
}
