import { type Dirent, readdirSync, type Stats, statSync } from 'node:fs'
import { join } from 'node:path'

const MOST_FILES = 20_000
const DEEPEST = 6

/**
 * The regular files below `folder` as relative paths with forward slashes, symlinks followed; what is dangling, in a
 * loop or no regular file is left out. Empty where there is no folder.
 */
export function listFiles(folder: string): string[] {
  const found: string[] = []
  collect(folder, '', found)
  return found.sort()
}

function collect(folder: string, below: string, found: string[]): void {
  for (const entry of entriesOf(join(folder, below))) {
    if (found.length >= MOST_FILES) return
    const path = below === '' ? entry.name : `${below}/${entry.name}`
    if (entry.isDirectory()) {
      if (path.split('/').length < DEEPEST) collect(folder, path, found)
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
