/**
 * Pages on their way to the disk. Whoever computed them copies them into a file of memory and ends; a process that was given
 * that file writes them (write-pages.ts). First its plan, as JSON behind its length; then page after page as it will lie on disk, but
 * for the checksums.
 */
import { writeSync } from 'node:fs'
import { PAGE, type Page } from '../backend/kv.ts'
import { availableMemory } from '../system/available-memory.ts'
import { openMemoryFile } from '../system/mapped-memory.ts'
import { HEADER, headerOf } from './page-file.ts'
import type { PageKey } from './page-key.ts'
import type { PageStore } from './page-store.ts'
import { type About, fileName, LEAST_MS } from './stored-pages.ts'

export interface HandOverPlan {
  readonly cacheFolder: string
  /** Below it. */
  readonly folder: string
  readonly about: About
  /** Of one page, without its header. */
  readonly pageBytes: number
  /** Their names, in their order. */
  readonly names: readonly string[]
}

export interface HandOver {
  /** Of the file; whoever gets this closes it. `undefined`: a process has been given it. */
  readonly descriptor: number | undefined
  readonly pages: number
  readonly bytes: number
}

export interface HandOverOptions {
  /** What computing a token takes. */
  readonly msPerToken: number
  /** What must be saved; default 300 ms. */
  readonly leastMs?: number
}

/** Of the memory that is free. */
const SHARE_OF_MEMORY = 0.25

/** The full pages of a text that are not on disk yet, if that saves enough. @throws what the system says */
export function handOver(
  store: PageStore,
  { ids, pages }: { readonly ids: Int32Array; readonly pages: readonly Page[] },
  { msPerToken, leastMs = LEAST_MS }: HandOverOptions,
): HandOver | undefined {
  const missing: { key: PageKey; page: Page }[] = []
  let i = 0
  for (const key of store.keysOf(ids)) {
    const page = pages[i++]
    if (page === undefined) break
    if (!store.has(key)) missing.push({ key, page })
  }
  if (missing.length === 0 || missing.length * PAGE * msPerToken < leastMs) return undefined
  const pageBytes = missing[0]!.page.bytes.reduce((sum, { length }) => sum + length, 0)
  const most = Math.floor((SHARE_OF_MEMORY * availableMemory()) / pageBytes)
  const handed = missing.slice(0, most)
  return handed.length === 0 ? undefined : copied(store, handed, pageBytes)
}

function copied(
  { cacheFolder, folder, about }: PageStore,
  handed: readonly { readonly key: PageKey; readonly page: Page }[],
  pageBytes: number,
): HandOver {
  const names = handed.map(({ key }) => fileName(key))
  const descriptor = openMemoryFile('spout pages')
  writeFully(descriptor, planBytes({ cacheFolder, folder, about, pageBytes, names }))
  for (const { key, page } of handed) {
    writeFully(descriptor, headerOf(key, pageBytes))
    for (const part of page.bytes) writeFully(descriptor, part)
  }
  return { descriptor, pages: handed.length, bytes: handed.length * (HEADER + pageBytes) }
}

function planBytes(plan: HandOverPlan): Buffer {
  const text = Buffer.from(JSON.stringify(plan))
  const length = Buffer.alloc(4)
  length.writeUInt32LE(text.length)
  return Buffer.concat([length, text])
}

function writeFully(file: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length; ) done += writeSync(file, bytes, done)
}
