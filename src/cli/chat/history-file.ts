/** The lines typed in conversations, kept for the next. Losing them loses nothing: no failure here ends anything. */
import { appendFileSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { ownCacheFolder } from '../../system/own-cache.ts'

export const HISTORY_LINES = 1000

export interface HistoryFile {
  /** Newest first, as readline has it. */
  readonly lines: string[]
  add(line: string): void
}

export function openHistoryFile(path = join(ownCacheFolder(process.env), 'chat-history')): HistoryFile {
  return {
    lines: readNewestFirst(path),
    add(line) {
      try {
        mkdirSync(dirname(path), { recursive: true })
        appendFileSync(path, `${line}\n`, { mode: 0o600 })
      } catch {
        // a read-only home is no reason not to talk
      }
    },
  }
}

function readNewestFirst(path: string): string[] {
  try {
    const lines = readFileSync(path, 'utf8').split('\n').filter(Boolean)
    if (lines.length > 2 * HISTORY_LINES) shorten(path, lines.slice(-HISTORY_LINES))
    return lines.slice(-HISTORY_LINES).reverse()
  } catch {
    return []
  }
}

function shorten(path: string, lines: readonly string[]): void {
  const temporary = `${path}.${process.pid}.tmp`
  writeFileSync(temporary, `${lines.join('\n')}\n`, { mode: 0o600 })
  renameSync(temporary, path)
}
