/**
 * All pages on disk, of all models: how much they take, and which go when that is too much. Below the folder of our own files:
 *
 *   prompts/<root>/<key>.<parent>.kv   a page (page-file.ts); keys in hexadecimal, of their first 16 bytes
 *                  about.json          which model they are of
 */
import { existsSync, rmdirSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { namesIn, orNothing } from '../system/or-nothing.ts'
import { readRegular } from '../system/regular-file.ts'
import { cacheLimit } from '../system/write-whole.ts'
import { LAYOUT, type PageKey } from './page-key.ts'

/** What tells people which model it is of. */
export interface About {
  readonly model: string
  readonly dtype: string
  /** The graph's path: once it is gone, nobody asks for these pages any more. */
  readonly graph: string
}

export interface StoredPage {
  readonly folder: string
  readonly name: string
  readonly bytes: number
  /** Milliseconds since 1970. */
  readonly usedAt: number
}

/** What keeping a text must save of the next run's time, in milliseconds. */
export const LEAST_MS = 300
/** At most so much is kept, and never more than a tenth of what the disk has left for it. */
const MOST_BYTES = 2e9
const SHARE_OF_DISK = 0.1
const ABOUT = 'about.json'
const MOST_ABOUT = 1e5
const NAME = /^([0-9a-f]{32})\.([0-9a-f]{32})\.kv$/

export function promptsFolder(cacheFolder: string): string {
  return join(cacheFolder, 'prompts')
}

export function fileName({ key, parent }: PageKey): string {
  return `${key.toString('hex', 0, 16)}.${parent.toString('hex', 0, 16)}.kv`
}

export function aboutText(about: About): string {
  return `${JSON.stringify({ layout: LAYOUT, ...about })}\n`
}

/** Of which model the pages in `folder` are; `undefined` where nobody would use them: of another version, or of a graph that is gone. */
export function aboutOf(folder: string): About | undefined {
  try {
    const { layout, ...about } = JSON.parse(
      readRegular(join(folder, ABOUT), { own: true, most: MOST_ABOUT }).toString(),
    )
    return layout === LAYOUT && existsSync(about.graph) ? about : undefined
  } catch {
    return undefined
  }
}

/** Where that is written. */
export function aboutPath(folder: string): string {
  return join(folder, ABOUT)
}

/** The folders of pages that are there. */
export function storedFolders(cacheFolder: string): string[] {
  const root = promptsFolder(cacheFolder)
  return namesIn(root)
    .filter((name) => /^[0-9a-f]{32}$/.test(name))
    .map((name) => join(root, name))
}

/** All pages of one folder. */
export function pagesIn(folder: string): StoredPage[] {
  return namesIn(folder)
    .filter((name) => NAME.test(name))
    .flatMap((name) => {
      const status = orNothing(() => statSync(join(folder, name)))
      return status === undefined ? [] : [{ folder, name, bytes: status.size, usedAt: status.mtimeMs }]
    })
}

export function allPages(cacheFolder: string): StoredPage[] {
  return storedFolders(cacheFolder).flatMap(pagesIn)
}

/** How much may be kept in all, with what is there now. */
export function pagesLimit(cacheFolder: string, used: number): number {
  return cacheLimit(cacheFolder, used, { most: MOST_BYTES, share: SHARE_OF_DISK })
}

/** Removes the pages that were used least lately until no more than `keepBytes` are left, and what nobody would use. */
export function prunePages(cacheFolder: string, keepBytes: number): StoredPage[] {
  const removed = surplusPages(cacheFolder, keepBytes)
  for (const { folder, name } of removed) orNothing(() => rmSync(join(folder, name), { force: true }))
  for (const folder of storedFolders(cacheFolder)) if (pagesIn(folder).length === 0) removeEmpty(folder)
  return removed
}

/** Which those are: leaves first, for a page is worth nothing without those before it. */
export function surplusPages(cacheFolder: string, keepBytes: number): StoredPage[] {
  const folders = storedFolders(cacheFolder)
  const unwanted = folders.filter((folder) => aboutOf(folder) === undefined)
  const gone = unwanted.flatMap(pagesIn)
  const pages = folders.filter((folder) => !unwanted.includes(folder)).flatMap(pagesIn)
  let kept = pages.reduce((sum, { bytes }) => sum + bytes, 0)
  for (const page of kept > keepBytes ? leavesFirst(pages) : []) {
    if (kept <= keepBytes) break
    gone.push(page)
    kept -= page.bytes
  }
  return gone
}

/** A page counts as used when one below it was. */
function leavesFirst(pages: readonly StoredPage[]): StoredPage[] {
  const byKey = new Map(pages.map((page) => [NAME.exec(page.name)![1]!, page]))
  const depths = new Map<StoredPage, number>()
  const usedAt = new Map(pages.map((page) => [page, page.usedAt]))
  for (const page of pages) {
    const chain = chainOf(page, byKey)
    depths.set(page, chain.length)
    for (const above of chain) usedAt.set(above, Math.max(usedAt.get(above)!, page.usedAt))
  }
  return [...pages].sort((a, b) => usedAt.get(a)! - usedAt.get(b)! || depths.get(b)! - depths.get(a)!)
}

/** The pages before it, the nearest first. */
function chainOf(page: StoredPage, byKey: ReadonlyMap<string, StoredPage>): StoredPage[] {
  const chain: StoredPage[] = []
  const seen = new Set([page])
  for (let at = parentOf(page, byKey); at !== undefined && !seen.has(at); at = parentOf(at, byKey)) {
    chain.push(at)
    seen.add(at)
  }
  return chain
}

function parentOf({ name }: StoredPage, byKey: ReadonlyMap<string, StoredPage>): StoredPage | undefined {
  return byKey.get(NAME.exec(name)![2]!)
}

function removeEmpty(folder: string): void {
  orNothing(() => rmSync(aboutPath(folder), { force: true }))
  orNothing(() => rmdirSync(folder))
}
