/** The keys that clients need: from a file or the environment, never from the command line, which others can read. */
import { statSync } from 'node:fs'
import { SpoutError } from '../../errors.ts'
import { readRegular } from '../../system/regular-file.ts'

const VARIABLE = 'SPOUT_API_KEY'
const MOST_BYTES = 1 << 16
/** What an HTTP header can say as one word. */
const KEY = /^[\x21-\x7e]+$/

interface Keys {
  readonly keys: readonly string[]
  /** What is to be said of where they are kept. */
  readonly note?: string
}

/** @throws SpoutError `not-found` for a file that cannot be read, `usage` for one without keys */
export function readKeys(file: string | undefined, env: NodeJS.ProcessEnv = process.env): Keys {
  const given = env[VARIABLE]
  if (file === undefined) return { keys: given ? [checked(given.trim(), VARIABLE)] : [] }
  const lines = textOf(file).split(/\r?\n/)
  const keys = lines
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((key) => checked(key, 'key-file'))
  if (keys.length === 0) throw new SpoutError('usage', 'key-file: there is no key in it')
  const isOpen = process.platform !== 'win32' && (statSync(file).mode & 0o077) !== 0
  return isOpen
    ? { keys, note: 'key-file: others on this machine may read it; chmod 600 keeps it' }
    : { keys }
}

function textOf(file: string): string {
  try {
    return readRegular(file, { most: MOST_BYTES }).toString()
  } catch (cause) {
    throw new SpoutError('not-found', 'key-file: it cannot be read', { cause })
  }
}

function checked(key: string, name: string): string {
  if (KEY.test(key)) return key
  throw new SpoutError('usage', `${name}: a key is one word of ASCII characters`)
}
