import { readFileSync } from 'node:fs'
import { SpoutError } from '../errors.ts'
import { quote } from '../system/text-display.ts'

/**
 * Bytes of an argument that are not UTF-8 arrive as U+FFFD: a system message, a stop text or a file's name would be another
 * than what was written. Whether they were one, only the system still knows.
 * @throws SpoutError `data`.
 */
export function checkArguments(argv: readonly string[], commandLine = readCommandLine): void {
  if (!argv.some((word) => word.includes('\uFFFD'))) return
  const bad = wordsOf(commandLine()).find((bytes) => !isUtf8(bytes))
  if (bad === undefined) return
  throw new SpoutError('data', `argument ${quote(new TextDecoder().decode(bad), 40)}: it is not UTF-8`, {
    hint: 'pipe the text in, as UTF-8',
  })
}

/** Words end with a zero byte. */
function wordsOf(bytes: Uint8Array): Uint8Array[] {
  const words: Uint8Array[] = []
  for (let from = 0; from < bytes.length; ) {
    const end = bytes.indexOf(0, from)
    words.push(bytes.subarray(from, end < 0 ? bytes.length : end))
    from = end < 0 ? bytes.length : end + 1
  }
  return words
}

function isUtf8(bytes: Uint8Array): boolean {
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes)
    return true
  } catch {
    return false
  }
}

/** Empty where the system does not tell. */
function readCommandLine(): Uint8Array {
  try {
    return readFileSync('/proc/self/cmdline')
  } catch {
    return new Uint8Array()
  }
}
