import { lstatSync, readlinkSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { SpoutError } from '../errors.ts'
import type { BlobInfo, HubClient } from '../hub/hub-client.ts'
import type { TreeEntry } from '../hub/hub-tree.ts'
import type { Patience } from '../hub/retry.ts'
import { isOptional } from '../model/graph-files.ts'
import { acquireLock } from '../system/file-lock.ts'
import { HeldFolder } from '../system/held-folder.ts'
import { statusOf } from '../system/list-files.ts'
import { isOurs } from '../system/regular-file.ts'
import { freeBytes } from '../system/write-whole.ts'
import { downloadBlob } from './blob-download.ts'
import { blobName } from './blob-hash.ts'
import { cacheError, diskFull } from './cache-errors.ts'
import { pointTo, syncFolder, writeNote } from './cache-writes.ts'
import type { FetchIo } from './fetch-io.ts'
import type { RepoCache } from './hub-cache.ts'
import { bytesLeft } from './partial-file.ts'

// The files of one snapshot: what is there and whole is left alone, what is not is fetched as a blob, and when the
// blob has its name the snapshot points to it.

interface SnapshotOptions extends Omit<FetchIo, 'beforeFetch'> {
  readonly client: HubClient
  readonly cache: RepoCache
  readonly commit: string
  /** Whether the snapshot shall hold the files themselves instead of links. */
  readonly copy: boolean
  /** Whether what is there is believed only when it hashes to its name. */
  readonly repair: boolean
  readonly patience: Patience
  readonly signal: AbortSignal
}

export class SnapshotFiles {
  readonly #options: SnapshotOptions
  /** Blobs that have the right length and other bytes. */
  readonly #wrong = new Set<string>()

  constructor(options: SnapshotOptions) {
    this.#options = options
  }

  /** Throws `cache` where the disk has no room for what is yet to come. */
  checkRoom(entries: readonly TreeEntry[]): void {
    const { folder } = this.#options.cache
    const needed = entries
      .filter((entry) => !this.#seemsHere(entry))
      .reduce((sum, e) => sum + this.#bytesToCome(e), 0)
    const free = freeBytes(folder)
    if (free !== undefined && needed > free) throw diskFull(folder, needed, free)
  }

  /** Makes sure the snapshot has a file. */
  async fetch(entry: TreeEntry): Promise<void> {
    if (await this.#isHere(entry)) return
    const { client, cache, commit, note } = this.#options
    const info = await client.blobInfo(cache.repo, commit, entry)
    if (info === undefined) return this.#noteAbsent(entry.path)
    if (!(await this.#blobIsGood(info))) await this.#download(entry, info)
    try {
      this.#point(entry.path, info.etag)
    } catch (error) {
      throw cacheError(error, cache.file(commit, entry.path))
    }
    note?.(`${entry.path}: ${info.etag.slice(0, 12)}`, 'info')
  }

  /** The hub lists the file and has it not: no loss where a model can do without. */
  #noteAbsent(path: string): void {
    const { cache, commit } = this.#options
    if (!isOptional(path)) {
      throw new SpoutError('not-found', `${cache.repo}: ${path} is listed but not there`, {
        hint: 'try again',
      })
    }
    writeNote(cache.noExist(commit, path), '', cache)
  }

  async #download(entry: TreeEntry, { etag, size }: BlobInfo): Promise<void> {
    const { cache, patience, signal, note, repair } = this.#options
    const blobPath = cache.blob(etag)
    const isDone = () => !repair && sizeOf(blobPath) === size && !this.#wrong.has(etag)
    const onWait = () => note?.(`waiting for another process that downloads ${entry.path}`, 'warning')
    const lock = await acquireLock(cache.lock(etag), { root: cache.root, patience, signal, isDone, onWait })
    // It was another who downloaded it: another user, perhaps.
    if (lock === undefined)
      return (await this.#blobIsGood({ etag, size })) ? undefined : this.#download(entry, { etag, size })
    try {
      if (isDone()) return
      await this.#receive(entry, { etag, size }, lock.touch)
      syncFolder(dirname(blobPath))
    } finally {
      lock.release()
    }
  }

  async #receive(entry: TreeEntry, info: BlobInfo, touch: () => void): Promise<void> {
    const { cache } = this.#options
    const folder = HeldFolder.open(cache.root, dirname(cache.blob(info.etag)))
    try {
      await this.#receiveInto(folder.path, { entry, info, touch })
    } finally {
      folder.close()
    }
  }

  async #receiveInto(
    folder: string,
    { entry, info, touch }: { entry: TreeEntry; info: BlobInfo; touch: () => void },
  ): Promise<void> {
    const { client, cache, commit, patience, signal, onProgress, note } = this.#options
    const { etag, size } = info
    const tell = (received: number, done: boolean) =>
      onProgress?.({ file: entry.path, received, total: size, done })
    await downloadBlob({
      blobPath: cache.blob(etag),
      folder,
      size,
      endpoint: client.endpoint,
      patience,
      signal,
      open: (offset) => client.open(cache.repo, commit, { path: entry.path, offset }),
      onBytes: (received) => {
        touch()
        tell(received, false)
      },
      onRetry: (message) => note?.(message, 'warning'),
    })
    tell(size, true)
  }

  #point(name: string, etag: string): void {
    const { cache, commit, copy } = this.#options
    pointTo(cache.file(commit, name), cache.blob(etag), { copy, cache })
    syncFolder(dirname(cache.file(commit, name)))
  }

  /** Whether the snapshot has the file the hub lists, as far as its length tells. */
  #seemsHere({ path, size, etag }: TreeEntry): boolean {
    const { cache, commit } = this.#options
    const pointer = cache.file(commit, path)
    if (sizeOf(pointer) !== size) return false
    if (etag === undefined || !isLink(pointer)) return true
    return resolve(dirname(pointer), readlinkSync(pointer)) === cache.blob(etag)
  }

  /** The same, or, to repair, as far as its hash tells. */
  async #isHere(entry: TreeEntry): Promise<boolean> {
    if (!this.#seemsHere(entry)) return false
    if (!this.#options.repair) return true
    const { path, etag, size } = entry
    const { cache, commit, signal } = this.#options
    const name = etag && (await blobName(cache.file(commit, path), etag, { bytes: size, signal }))
    return name !== undefined && name === etag
  }

  /** Whether a blob is there: by its length where it is our own, by its hash where another user may have put it there. */
  async #blobIsGood({ etag, size }: BlobInfo): Promise<boolean> {
    const { cache, repair, signal } = this.#options
    const path = cache.blob(etag)
    const status = statusOf(path)
    if (!status?.isFile() || status.size !== size) return false
    if (!repair && isOurs(status.uid)) return true
    if ((await blobName(path, etag, { bytes: size, signal })) === etag) return true
    this.#wrong.add(etag)
    return false
  }

  #bytesToCome({ etag, size }: TreeEntry): number {
    if (etag === undefined) return size
    const blob = this.#options.cache.blob(etag)
    return sizeOf(blob) === size ? 0 : size - Math.min(size, bytesLeft(blob))
  }
}

/** Bytes of a regular file; `undefined` where there is none. */
function sizeOf(path: string): number | undefined {
  const status = statusOf(path)
  return status?.isFile() ? status.size : undefined
}

function isLink(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() ?? false
}
