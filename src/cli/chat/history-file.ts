/**
 * The messages typed in conversations, kept for the next: one per line, as JSON where it is more than a plain line. Losing
 * them loses nothing: no failure here ends anything.
 */
import { closeSync, constants, writeSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { makeFolder } from '../../system/make-folder.ts'
import { openRegular, readRegular } from '../../system/regular-file.ts'
import { spoutCacheFolder } from '../../system/spout-cache.ts'
import { toJson } from '../../system/text-display.ts'
import { writeWhole } from '../../system/write-whole.ts'

const HISTORY_MESSAGES = 1000
/** A longer message is a document: it would be read at the start of every conversation. */
const LONGEST_MESSAGE = 32_768
/** Bytes. */
const LONGEST = 64 * 2 ** 20

export interface HistoryFile {
  /** Newest first, each once. */
  readonly messages: readonly string[]
  add(message: string): void
}

export function historyPath(): string {
  return join(spoutCacheFolder(process.env), 'chat-history')
}

/** @param path `undefined`: nothing is read or written, and what is typed is known until the end. */
export function openHistoryFile(path: string | undefined): HistoryFile {
  let messages = path === undefined ? [] : readNewestFirst(path)
  return {
    get messages() {
      return messages
    },
    add(message) {
      messages = [message, ...messages.filter((other) => other !== message)].slice(0, HISTORY_MESSAGES)
      if (path !== undefined && message.length <= LONGEST_MESSAGE) append(path, encodeMessage(message))
    },
  }
}

function append(path: string, line: string): void {
  try {
    makeFolder(dirname(path), 0o700)
    const { O_WRONLY, O_APPEND, O_CREAT } = constants
    const file = openRegular(path, { flags: O_WRONLY | O_APPEND | O_CREAT, mode: 0o600 })
    try {
      writeSync(file, `${line}\n`)
    } finally {
      closeSync(file)
    }
  } catch {
    // a read-only home is no reason not to talk
  }
}

function readNewestFirst(path: string): string[] {
  try {
    const lines = readRegular(path, { most: LONGEST }).toString('utf8').split('\n').filter(Boolean)
    if (lines.length > 2 * HISTORY_MESSAGES) shorten(path, lines.slice(-HISTORY_MESSAGES))
    return [...new Set(lines.slice(-HISTORY_MESSAGES).map(decodeMessage).reverse())]
  } catch {
    return []
  }
}

/** A plain line is written as it is. */
export function encodeMessage(message: string): string {
  return /[\x00-\x1f]|^"/.test(message) ? toJson(message) : message
}

export function decodeMessage(line: string): string {
  if (!line.startsWith('"')) return line
  try {
    const message: unknown = JSON.parse(line)
    return typeof message === 'string' ? message : line
  } catch {
    return line
  }
}

function shorten(path: string, lines: readonly string[]): void {
  writeWhole(path, `${lines.join('\n')}\n`, { mode: 0o600 })
}
