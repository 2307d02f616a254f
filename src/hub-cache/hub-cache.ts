import { join } from 'node:path'
import { SpoutError } from '../errors.ts'
import { isCommit, isEtag, isRepo, isRevision } from '../model/model-id.ts'
import { listFiles, statusOf } from '../system/list-files.ts'
import { readRegular } from '../system/regular-file.ts'
import { isSafeFileName } from '../system/safe-name.ts'
import { quote } from '../system/text-display.ts'

// The hub cache's standard layout, and the one place where names become paths in it:
//   models--org--name/refs/<revision>              the commit, in text
//   models--org--name/snapshots/<commit>/<file>    a relative symlink to
//   models--org--name/blobs/<etag>                 the bytes: sha256, or git's sha1 of small files
//   models--org--name/.no_exist/<commit>/<file>    an empty file: the hub has no such file

/** The paths of one repository in the cache. */
export interface RepoCache {
  readonly repo: string
  /** Of all models. */
  readonly root: string
  readonly folder: string
  /** For half-made things: a folder of the same file system whose odd names nobody reads. */
  readonly scratch: string
  /** For the locks of its blobs. */
  readonly locks: string
  ref(revision: string): string
  snapshot(commit: string): string
  file(commit: string, name: string): string
  blob(etag: string): string
  noExist(commit: string, name: string): string
  /** Python's list of a commit's files, where it has made one. */
  tree(commit: string): string
  lock(etag: string): string
}

/** Paths of `repo` below the cache `root`. Every method throws rather than build a path out of an unchecked name. */
export function repoCache(root: string, repo: string): RepoCache {
  const name = `models--${checked(isRepo, repo, 'repository').split('/').join('--')}`
  const folder = join(root, name)
  const commitOf = (commit: string) => checked(isCommit, commit, 'commit')
  const fileOf = (file: string) => checked(isSafeFileName, file, 'file name in the repository')
  const etagOf = (etag: string) => checked(isEtag, etag, 'ETag')
  return {
    repo,
    root,
    folder,
    scratch: join(folder, 'blobs'),
    locks: join(root, '.locks', name),
    ref: (revision) => join(folder, 'refs', checked(isRevision, revision, 'revision')),
    snapshot: (commit) => join(folder, 'snapshots', commitOf(commit)),
    file: (commit, file) => join(folder, 'snapshots', commitOf(commit), fileOf(file)),
    blob: (etag) => join(folder, 'blobs', etagOf(etag)),
    noExist: (commit, file) => join(folder, '.no_exist', commitOf(commit), fileOf(file)),
    tree: (commit) => join(folder, 'trees', `${commitOf(commit)}.json`),
    lock: (etag) => join(root, '.locks', name, `${etagOf(etag)}.spout.lock`),
  }
}

/** The commit of `revision` as far as the cache knows: a commit is itself; a damaged ref counts as absent. */
export function cachedCommit(cache: RepoCache, revision: string): string | undefined {
  if (isCommit(revision)) return revision
  const commit = noteOf(cache.ref(revision))?.trim()
  return commit !== undefined && isCommit(commit) ? commit : undefined
}

/** Longer than any ref. */
const LONGEST_NOTE = 1000

/** The text of a ref or another small file of the cache; `undefined` for what is none, a pipe or a device among it. */
export function noteOf(path: string): string | undefined {
  try {
    return readRegular(path, { most: LONGEST_NOTE }).toString('utf8')
  } catch {
    return undefined
  }
}

const LONGEST_LIST = 64 * 2 ** 20

/** The files of a snapshot that can be opened, with forward slashes; empty where there is no snapshot. */
export function snapshotFiles(cache: RepoCache, commit: string): string[] {
  return listFiles(cache.snapshot(commit), { enterLinks: true })
}

/** All files of a commit, where Python's library has left a list of them. */
export function knownFiles(cache: RepoCache, commit: string): ReadonlySet<string> | undefined {
  try {
    const text = readRegular(cache.tree(commit), { most: LONGEST_LIST }).toString('utf8')
    const { format_version, files } = JSON.parse(text)
    return format_version === 1 ? new Set(Object.keys(files)) : undefined
  } catch {
    return undefined
  }
}

/** Whether the hub is known to have no such file at `commit`. */
export function isKnownAbsent(cache: RepoCache, commit: string, name: string): boolean {
  return statusOf(cache.noExist(commit, name)) !== undefined
}

function checked(is: (text: string) => boolean, text: string, what: string): string {
  if (is(text)) return text
  throw new SpoutError('config', `unsafe ${what}: ${quote(text)}`)
}
