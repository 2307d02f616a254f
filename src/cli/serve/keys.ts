/** The keys that clients need: from a file or the environment, never from the command line, which others can read. */
import { statSync } from 'node:fs'
import { SpoutError } from '../../errors.ts'
import { readRegular } from '../../system/regular-file.ts'

const SERVED: KeyNames = { variable: 'SPOUT_API_KEY', flag: 'key-file' }
const MOST_BYTES = 1 << 16
/** What an HTTP header can say as one word. */
const KEY = /^[\x21-\x7e]+$/

/** Where keys come from. */
interface KeyNames {
  readonly variable: string
  /** Without its dashes. */
  readonly flag: string
}

interface Keys {
  readonly keys: readonly string[]
  /** What is to be said of where they are kept. */
  readonly note?: string
}

/** @throws SpoutError `not-found` for a file that cannot be read, `usage` for one without keys */
export function readKeys(
  file: string | undefined,
  env: NodeJS.ProcessEnv = process.env,
  { variable, flag }: KeyNames = SERVED,
): Keys {
  const given = env[variable]
  if (file === undefined) return { keys: given ? [checked(given.trim(), variable)] : [] }
  const lines = textOf(file, flag).split(/\r?\n/)
  const keys = lines
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((key) => checked(key, flag))
  if (keys.length === 0) throw new SpoutError('usage', `${flag}: there is no key in it`)
  const isOpen = process.platform !== 'win32' && (statSync(file).mode & 0o077) !== 0
  return isOpen ? { keys, note: `${flag}: others on this machine may read it; chmod 600 keeps it` } : { keys }
}

function textOf(file: string, flag: string): string {
  try {
    return readRegular(file, { most: MOST_BYTES }).toString()
  } catch (cause) {
    throw new SpoutError('not-found', `${flag}: it cannot be read`, { cause })
  }
}

function checked(key: string, name: string): string {
  if (KEY.test(key)) return key
  throw new SpoutError('usage', `${name}: a key is one word of ASCII characters`)
}
