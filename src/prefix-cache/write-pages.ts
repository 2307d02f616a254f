/**
 * Writes pages that another process handed over (hand-over.ts). One process at a time writes; what is there already is not written
 * again, and what was used least lately goes where room is needed.
 */
import { chmodSync, existsSync } from 'node:fs'
import { join } from 'node:path'
import { acquireLock } from '../system/file-lock.ts'
import { isOursAlone } from '../system/folder-trust.ts'
import { makeFolder } from '../system/make-folder.ts'
import { sweepScratch, UnfinishedFile, writeWhole } from '../system/write-whole.ts'
import type { HandOverPlan } from './hand-over.ts'
import { HEADER, readFully, seal } from './page-file.ts'
import {
  aboutOf,
  aboutPath,
  aboutText,
  allPages,
  pagesLimit,
  promptsFolder,
  prunePages,
} from './stored-pages.ts'

/** For its owner only: such a file can be turned back into its text. */
const FILE_MODE = 0o600
const FOLDER_MODE = 0o700
/** Who cannot have the lock for so long gives up. */
const PATIENCE_MS = 60_000

/** @throws what the file system says; SpoutError `os` where others may write to the folder */
export async function writePages(descriptor: number): Promise<void> {
  const { plan, at } = readPlan(descriptor)
  const { cacheFolder, folder } = plan
  makePrivate(promptsFolder(cacheFolder))
  const until = Date.now() + PATIENCE_MS
  const lock = await acquireLock(join(promptsFolder(cacheFolder), '.lock'), {
    patience: { pollMs: 50, lockStaleMs: PATIENCE_MS, noticeMs: PATIENCE_MS },
    isDone: () => Date.now() > until,
    onWait: () => undefined,
  })
  try {
    makePrivate(folder)
    sweepScratch(folder)
    if (lock !== undefined) writeAll(descriptor, at, plan)
  } finally {
    lock?.release()
  }
}

function makePrivate(folder: string): void {
  makeFolder(folder, FOLDER_MODE)
  if (!isOursAlone(folder)) throw new Error(`${folder}: others can write there`)
  chmodSync(folder, FOLDER_MODE)
}

function writeAll(
  descriptor: number,
  at: number,
  { cacheFolder, folder, about, pageBytes, names }: HandOverPlan,
) {
  const bytes = HEADER + pageBytes
  const isMissing = (name: string): boolean => !existsSync(join(folder, name))
  const used = allPages(cacheFolder).reduce((sum, page) => sum + page.bytes, 0)
  const limit = pagesLimit(cacheFolder, used)
  // A page is worth nothing without those before it: what there is no room for is the end.
  const wanted = names.filter(isMissing).slice(0, Math.floor(limit / bytes))
  if (wanted.length === 0) return
  prunePages(cacheFolder, limit - wanted.length * bytes)
  makePrivate(folder)
  if (aboutOf(folder) === undefined)
    writeWhole(aboutPath(folder), aboutText(about), { flush: false, mode: FILE_MODE })
  const header = Buffer.allocUnsafe(HEADER)
  const payload = Buffer.allocUnsafe(pageBytes)
  for (const name of wanted) {
    const start = at + names.indexOf(name) * bytes
    readFully(descriptor, header, start)
    readFully(descriptor, payload, start + HEADER)
    seal(header, [payload])
    writePage(join(folder, name), header, payload)
  }
}

function writePage(path: string, header: Buffer, payload: Buffer): void {
  // It says itself whether it is whole.
  const file = new UnfinishedFile(path, { flush: false, mode: FILE_MODE })
  try {
    file.write(header)
    file.write(payload)
    file.commit()
  } catch (error) {
    file.discard()
    throw error
  }
}

function readPlan(descriptor: number): { plan: HandOverPlan; at: number } {
  const length = Buffer.alloc(4)
  readFully(descriptor, length, 0)
  const text = Buffer.alloc(length.readUInt32LE())
  readFully(descriptor, text, 4)
  return { plan: JSON.parse(text.toString()), at: 4 + text.length }
}
