import { lstatSync, readlinkSync, realpathSync, statSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { isCommit, isEtag, isRepo } from '../model/model-id.ts'
import type { Dtype } from '../model/resolved-model.ts'
import { listFiles, statusOf } from '../system/list-files.ts'
import { namesIn } from '../system/or-nothing.ts'
import { cachedModels, isComplete } from './cached-model.ts'
import { noteOf, type RepoCache, repoCache, snapshotFiles } from './hub-cache.ts'

// What the cache holds, told by looking: every model, every snapshot of it, and which blobs each snapshot needs.

export interface CachedSnapshot {
  readonly repo: string
  readonly commit: string
  /** Branches, tags and pull requests that are this commit. */
  readonly refs: readonly string[]
  readonly folder: string
  readonly files: readonly CachedFile[]
  /** Bytes of its files, each blob counted once. */
  readonly size: number
  /** The dtypes that can be used. */
  readonly dtypes: readonly Dtype[]
  /** What graphs here still lack: their download was broken off. */
  readonly lacking: readonly { readonly dtype: Dtype; readonly files: readonly string[] }[]
  /** When any of its files was last read, in milliseconds, as far as the file system notes that. */
  readonly lastUsed: number
}

interface CachedFile {
  /** Path in the snapshot. */
  readonly name: string
  /** The file that has the bytes; its name is the blob's unless the cache goes without symlinks. */
  readonly blob: string
  readonly size: number
}

/** All models in the cache, by name. Empty where there is no cache. */
export function scanCache(root: string): CachedSnapshot[] {
  return reposIn(root).flatMap((repo) => scanRepo(repoCache(root, repo)))
}

function reposIn(root: string): string[] {
  return namesIn(root)
    .sort()
    .map((name) => repoOf(name))
    .filter((repo) => repo !== undefined)
    .sort()
}

/** What a download that was broken off has left of a model, be it ours or another program's. */
export interface Unfinished {
  readonly repo: string
  readonly bytes: number
  /** In milliseconds. */
  readonly lastWritten: number
}

/** The models of which something is half received. */
export function scanUnfinished(root: string): Unfinished[] {
  return reposIn(root).flatMap((repo) => {
    const blobs = join(repoCache(root, repo).folder, 'blobs')
    const names = namesIn(blobs)
      .sort()
      .filter((name) => name.endsWith('.incomplete'))
    const files = names.map((name) => lstatSync(join(blobs, name), { throwIfNoEntry: false }))
    const plain = files.filter((status) => status?.isFile() && status.size > 0)
    if (plain.length === 0) return []
    const bytes = plain.reduce((sum, status) => sum + status!.size, 0)
    return [{ repo, bytes, lastWritten: Math.max(...plain.map((status) => status!.mtimeMs)) }]
  })
}

/** The snapshots of one model. */
export function scanRepo(cache: RepoCache): CachedSnapshot[] {
  const refs = refsOf(cache)
  return namesIn(join(cache.folder, 'snapshots'))
    .sort()
    .filter(isCommit)
    .map((commit) => scanSnapshot(cache, commit, refs.get(commit) ?? []))
}

/** The refs of a model, by the commit they name. */
export function refsOf(cache: RepoCache): Map<string, string[]> {
  const refs = new Map<string, string[]>()
  for (const name of listFiles(join(cache.folder, 'refs'))) {
    const commit = noteOf(join(cache.folder, 'refs', name))?.trim() ?? ''
    refs.set(commit, [...(refs.get(commit) ?? []), name])
  }
  return refs
}

function scanSnapshot(cache: RepoCache, commit: string, refs: readonly string[]): CachedSnapshot {
  const folder = cache.snapshot(commit)
  const files = snapshotFiles(cache, commit).map((name) => fileAt(folder, name))
  const models = [...cachedModels(cache, commit, 'auto')]
  const usable = models.filter(isComplete)
  const lacking = models.filter((model) => !isComplete(model))
  return {
    repo: cache.repo,
    commit,
    refs,
    folder,
    files,
    size: [...new Map(files.map(({ blob, size }) => [blob, size])).values()].reduce(
      (sum, size) => sum + size,
      0,
    ),
    dtypes: [...new Set(usable.map(({ graph }) => graph.dtype))],
    lacking: lacking.map(({ graph, missing }) => ({ dtype: graph.dtype, files: missing })),
    lastUsed: Math.max(0, ...files.map(({ blob }) => statSync(blob).atimeMs)),
  }
}

/** What to type to get a snapshot: `org/name`, with a revision where it is not the default branch. */
export function snapshotName({ repo, refs, commit }: CachedSnapshot): string {
  if (refs.includes('main')) return repo
  return `${repo}@${refs[0] ?? commit}`
}

function fileAt(folder: string, name: string): CachedFile {
  const path = join(folder, name)
  const isLink = lstatSync(path).isSymbolicLink()
  return { name, blob: isLink ? targetOf(path) : path, size: statSync(path).size }
}

/** Where a pointer leads, as its folder is named; or really lies, where the folders above it are links themselves. */
function targetOf(pointer: string): string {
  const target = readlinkSync(pointer)
  const named = resolve(dirname(pointer), target)
  return statusOf(named) === undefined ? resolve(realpathSync.native(dirname(pointer)), target) : named
}

/** The hash a file's bytes should have, where its place tells. */
export function etagOfFile({ blob }: CachedFile): string | undefined {
  return isEtag(basename(blob)) && basename(dirname(blob)) === 'blobs' ? basename(blob) : undefined
}

/** The repository a folder of the cache is for. */
function repoOf(folder: string): string | undefined {
  const [, name] = /^models--(.+)$/.exec(folder) ?? []
  const repo = name?.replace('--', '/')
  return repo !== undefined && isRepo(repo) ? repo : undefined
}
