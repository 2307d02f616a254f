/** All that is prepared: how much disk it takes, and what goes when that is too much. */
import { rmSync, statSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { namesIn, orNothing } from '../../../system/or-nothing.ts'
import { cacheLimit } from '../../../system/write-whole.ts'
import { isWanted, type Manifest, preparedRoot, readManifest } from './prepared-model.ts'

export interface StoredModel {
  readonly folder: string
  readonly bytes: number
  /** Milliseconds since 1970. */
  readonly usedAt: number
  /** Absent from a folder that was never finished. */
  readonly manifest: Manifest | undefined
}

/** At most so much is kept, and never more than a quarter of what the disk has left for it. */
const MOST_BYTES = 20e9
const SHARE_OF_DISK = 0.25
/** Whoever writes a folder needs less time than this. */
const UNFINISHED_MS = 3_600_000

/** What is prepared, the last used first. */
export function listPrepared(cacheFolder: string): StoredModel[] {
  const root = preparedRoot(cacheFolder)
  const names = namesIn(root).filter((name) => !name.endsWith('.lock'))
  const stored = names.flatMap((name) => orNothing(() => [readStored(join(root, name))]) ?? [])
  return stored.sort((a, b) => b.usedAt - a.usedAt)
}

/** Removes `surplus`, and gives it. A model that is in use keeps its files until it is closed. */
export function prunePrepared(cacheFolder: string, keepBytes: number): StoredModel[] {
  const removed = surplus(cacheFolder, keepBytes)
  for (const { folder } of removed) rmSync(folder, { recursive: true, force: true })
  return removed
}

/** What was used longest ago, beyond the first `keepBytes`; what was never finished; what no run would take. */
export function surplus(cacheFolder: string, keepBytes: number): StoredModel[] {
  let kept = 0
  return listPrepared(cacheFolder).filter((stored) => {
    if (stored.manifest === undefined) return Date.now() - stored.usedAt > UNFINISHED_MS
    if (!isWanted(stored.manifest)) return true
    kept += stored.bytes
    return kept > keepBytes
  })
}

/** Folders of small files that are made again whenever they are wanted: patched graphs, and tokenizers as tables. */
const SMALL = ['graphs', 'tokenizers']

/** Removes the small files; gives their bytes. @param dryRun only counts them. */
export function removeSmall(cacheFolder: string, dryRun = false): number {
  let bytes = 0
  for (const folder of SMALL.map((name) => join(cacheFolder, name))) {
    bytes += sizeOf(folder)
    if (!dryRun) rmSync(folder, { recursive: true, force: true })
  }
  return bytes
}

/** How much may be kept in all, with what is there now. */
export function preparedLimit(cacheFolder: string): number {
  const used = listPrepared(cacheFolder).reduce((sum, { bytes }) => sum + bytes, 0)
  return cacheLimit(cacheFolder, used, { most: MOST_BYTES, share: SHARE_OF_DISK })
}

/** Removes what was begun beside `place` and never finished: to be called while its lock is held. */
export function removeUnfinished(place: string): void {
  const begun = namesIn(dirname(place)).filter((name) => name.startsWith(`${basename(place)}.`))
  for (const name of begun) {
    if (!name.endsWith('.lock')) rmSync(join(dirname(place), name), { recursive: true, force: true })
  }
}

function readStored(folder: string): StoredModel {
  const { mtimeMs } = statSync(folder)
  const bytes = sizeOf(folder)
  const manifest = orNothing(() => readManifest(folder))
  return { folder, bytes, usedAt: mtimeMs, manifest }
}

function sizeOf(folder: string): number {
  return namesIn(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0)
}
