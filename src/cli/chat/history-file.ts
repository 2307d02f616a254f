/** The lines typed in conversations, kept for the next. Losing them loses nothing: no failure here ends anything. */
import { closeSync, constants, writeSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { makeFolder } from '../../system/make-folder.ts'
import { ownCacheFolder } from '../../system/own-cache.ts'
import { openRegular, readRegular } from '../../system/regular-file.ts'
import { writeWhole } from '../../system/write-whole.ts'

export const HISTORY_LINES = 1000
/** Bytes. */
const LONGEST = 64 * 2 ** 20

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
        makeFolder(dirname(path), 0o700)
        append(path, `${line}\n`)
      } catch {
        // a read-only home is no reason not to talk
      }
    },
  }
}

function append(path: string, text: string): void {
  const { O_WRONLY, O_APPEND, O_CREAT } = constants
  const file = openRegular(path, { flags: O_WRONLY | O_APPEND | O_CREAT, mode: 0o600 })
  try {
    writeSync(file, text)
  } finally {
    closeSync(file)
  }
}

function readNewestFirst(path: string): string[] {
  try {
    const lines = readRegular(path, { most: LONGEST }).toString('utf8').split('\n').filter(Boolean)
    if (lines.length > 2 * HISTORY_LINES) shorten(path, lines.slice(-HISTORY_LINES))
    return lines.slice(-HISTORY_LINES).reverse()
  } catch {
    return []
  }
}

function shorten(path: string, lines: readonly string[]): void {
  writeWhole(path, `${lines.join('\n')}\n`, { mode: 0o600 })
}
