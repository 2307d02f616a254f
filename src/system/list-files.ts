import { type Dirent, readdirSync, realpathSync, type Stats, statSync } from 'node:fs'
import { join } from 'node:path'

const MOST_FILES = 20_000
const DEEPEST = 6

/**
 * The regular files below `folder` as relative paths with forward slashes, symlinks to files followed; what is dangling, in
 * a loop or no regular file is left out. Empty where there is no folder.
 * @param options.enterLinks also the files in folders that are links
 */
export function listFiles(folder: string, { enterLinks = false } = {}): string[] {
  const found: string[] = []
  collect(folder, '', { found, enterLinks, way: [] })
  return found.sort()
}

interface Collecting {
  readonly found: string[]
  readonly enterLinks: boolean
  /** The real paths of the folders above, where links are entered: none is entered twice. */
  readonly way: readonly string[]
}

function collect(folder: string, below: string, { found, enterLinks, way }: Collecting): void {
  const here = enterLinks ? realPathOf(join(folder, below)) : ''
  if (way.includes(here)) return
  const deeper = { found, enterLinks, way: enterLinks ? [...way, here] : way }
  for (const entry of entriesOf(join(folder, below))) {
    if (found.length >= MOST_FILES) return
    const path = below === '' ? entry.name : `${below}/${entry.name}`
    if (entry.isDirectory() || (enterLinks && entry.isSymbolicLink() && isFolder(join(folder, path)))) {
      if (path.split('/').length < DEEPEST) collect(folder, path, deeper)
    } else if (isFile(join(folder, path))) found.push(path)
  }
}

function entriesOf(folder: string): Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true })
  } catch {
    return []
  }
}

function realPathOf(path: string): string {
  try {
    return realpathSync.native(path)
  } catch {
    return path
  }
}

function isFolder(path: string): boolean {
  return statusOf(path)?.isDirectory() ?? false
}

function isFile(path: string): boolean {
  return statusOf(path)?.isFile() ?? false
}

/** What is at a path, links followed; `undefined` where nothing can be reached, for whatever reason. */
export function statusOf(path: string): Stats | undefined {
  try {
    return statSync(path)
  } catch {
    return undefined
  }
}
