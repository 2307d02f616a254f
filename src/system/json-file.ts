import { basename } from 'node:path'
import { SpoutError } from '../errors.ts'
import { RefusedFile, readRegular } from './regular-file.ts'

// A model's JSON files were written by strangers. They are read as regular files only (a FIFO would hang for
// ever), up to a size, and must be an object; what is wrong is told by the file's name.

/** An object from a model's JSON file, nothing about its fields being known yet. */
export type JsonObject = Readonly<Record<string, unknown>>

const LARGEST = 64 * 2 ** 20

/** The object in a JSON file; `undefined` where there is no file. Throws `config` for anything else. */
export function readJsonFile(path: string): JsonObject | undefined {
  const text = readTextFile(path)
  return text === undefined ? undefined : parseJsonObject(text, basename(path))
}

/** The text of a small regular file; `undefined` where there is none. Throws `config`. */
export function readTextFile(path: string): string | undefined {
  try {
    return readRegular(path, { most: LARGEST })
      .toString('utf8')
      .replace(/^\uFEFF/, '')
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'ELOOP') return undefined
    const reason = cause instanceof RefusedFile ? message : `cannot be read (${code})`
    throw new SpoutError('config', `${basename(path)}: ${reason}`, { cause })
  }
}

/** Parses `text`, which `name` holds, as a JSON object. Throws `config`. */
function parseJsonObject(text: string, name: string): JsonObject {
  const value = parseLoosely(text, name)
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new SpoutError('config', `${name}: expected a JSON object`, { hint: damaged })
  }
  return value as JsonObject
}

const damaged = 'the file is damaged or is not what its name says: fetch it again'

/** Python writes `Infinity` and `NaN` where JSON has no word; they are read as null. */
function parseLoosely(text: string, name: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    try {
      return JSON.parse(
        text.replace(/"(?:[^"\\]|\\.)*"|-?\bInfinity\b|\bNaN\b/g, (m) => (m[0] === '"' ? m : 'null')),
      )
    } catch {
      throw new SpoutError('config', `${name}: not JSON`, { hint: damaged, cause })
    }
  }
}
