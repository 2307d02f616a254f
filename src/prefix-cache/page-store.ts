/** The pages on disk of one model and one owner. Nothing of it is needed: what is not there, or cannot be read, is computed. */
import { existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { isOursAlone } from '../system/folder-trust.ts'
import { RefusedFile } from '../system/regular-file.ts'
import { BadPage, readPage } from './page-file.ts'
import { type PageKey, pageKeys, type RootFacts, rootKey } from './page-key.ts'
import { type About, fileName, promptsFolder } from './stored-pages.ts'

export interface PageStoreOptions extends RootFacts {
  /** Of our own files, which nobody else can write to. */
  readonly cacheFolder: string
  readonly about: About
}

export class PageStore {
  /** Where these pages are, or would be. */
  readonly folder: string
  readonly cacheFolder: string
  readonly about: About
  readonly #root: Buffer

  constructor({ cacheFolder, about, ...facts }: PageStoreOptions) {
    this.#root = rootKey(facts)
    this.cacheFolder = cacheFolder
    this.about = about
    this.folder = join(promptsFolder(cacheFolder), this.#root.toString('hex', 0, 16))
  }

  /** Whether what lies there can be believed. */
  get isTrusted(): boolean {
    return isOursAlone(this.folder)
  }

  /** Of the full pages of a text, first to last. */
  keysOf(ids: Int32Array): Iterable<PageKey> {
    return pageKeys(this.#root, ids)
  }

  has(page: PageKey): boolean {
    return existsSync(join(this.folder, fileName(page)))
  }

  /** How many full pages of a text are there, first to last. */
  count(ids: Int32Array): number {
    let count = 0
    for (const page of this.keysOf(ids)) {
      if (!this.has(page)) break
      count++
    }
    return count
  }

  /** Fills a page. False: it is not there, or not what was written; that is removed, and `into` holds anything. */
  read(page: PageKey, into: readonly Uint8Array[]): boolean {
    const path = join(this.folder, fileName(page))
    try {
      readPage(path, page, into)
      return true
    } catch (error) {
      const isForeign = error instanceof RefusedFile || (error as NodeJS.ErrnoException).code === 'ELOOP'
      if (isForeign || error instanceof BadPage) remove(path)
      return false
    }
  }
}

function remove(path: string): void {
  try {
    rmSync(path, { force: true })
  } catch {
    // A folder that may only be read.
  }
}
