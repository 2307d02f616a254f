/**
 * Patterns of tokenizer.json. They are written for Oniguruma; the ones that nearly every model uses are kept here as
 * JavaScript, the others are translated by the library when they turn up. Three differences matter: `\s` is Unicode's
 * White_Space there, `(?i:…)` does not exist here before Node 23, and ignoring case takes ſ for an s.
 */
import { SpoutError } from '../errors.ts'
import { withTimeLimit } from '../system/time-limit.ts'
import { translatePattern } from './library.ts'
import { invalid, isObject } from './tokenizer-json.ts'

export type Pattern = RegExp | string

const SPACES = String.raw`\p{White_Space}*[\r\n]+|\p{White_Space}+(?!\P{White_Space})|\p{White_Space}+`
const CONTRACTIONS = String.raw`'(?:[sS\u017f]|[tT]|[rR][eE]|[vV][eE]|[mM]|[lL][lL]|[dD])`

/** The split of GPT-2, which the `ByteLevel` pre-tokenizer implies. */
export const BYTE_LEVEL_SPLIT = String.raw`'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\p{White_Space}\p{L}\p{N}]+|\p{White_Space}+(?!\P{White_Space})|\p{White_Space}+`

/** JavaScript by Oniguruma source. None of them can backtrack for long. */
const KNOWN: ReadonlyMap<string, string> = new Map([
  [
    String.raw`(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`,
    String.raw`${CONTRACTIONS}|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\p{White_Space}\p{L}\p{N}]+[\r\n]*|${SPACES}`,
  ],
  [
    String.raw`(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`,
    String.raw`${CONTRACTIONS}|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\p{White_Space}\p{L}\p{N}]+[\r\n]*|${SPACES}`,
  ],
  ['[0-9][0-9][0-9]', '[0-9][0-9][0-9]'],
  ['\\p{N}{1,3}', '\\p{N}{1,3}'],
])

/** No pattern in use needs a second for the longest prompt. */
const LIMIT = {
  ms: 5000,
  error: () =>
    new SpoutError('config', 'tokenizer.json: a pattern did not end within 5 seconds on this text'),
}

/**
 * Compiles what holds a pattern that a model brought along.
 * @throws SpoutError `config` when it takes too long or cannot be done.
 */
export const guardCompiling = <T>(work: () => T): T => guard(work, false)

/**
 * Runs such a pattern over a text, twice perhaps: the work must change nothing that a second run would see.
 * @throws SpoutError `config` when it takes too long or cannot be run.
 */
export const guardPattern = <T>(work: () => T): T => guard(work, true)

function guard<T>(work: () => T, mayRunTwice: boolean): T {
  try {
    return withTimeLimit(work, { ...LIMIT, mayRunTwice })
  } catch (cause) {
    throw cause instanceof SpoutError ? cause : invalid('a pattern', 'cannot be run', cause)
  }
}

/** True of steps that hold a pattern a model brought along: it may backtrack for ever. */
export function hasUnknownPattern(steps: unknown): boolean {
  if (typeof steps !== 'object' || steps === null) return false
  const { Regex: source } = steps as { Regex?: unknown }
  if (typeof source === 'string') return !KNOWN.has(source)
  return Object.values(steps).some(hasUnknownPattern)
}

/**
 * A pattern of the file as `{ "String": … }` or `{ "Regex": … }`.
 * @throws SpoutError `config` when JavaScript cannot express it.
 */
export function compilePattern(value: unknown, field: string): Pattern {
  const { String: text, Regex: source } = isObject(value) ? value : {}
  if (typeof text === 'string') return text
  if (typeof source !== 'string') throw invalid(field, 'is neither a String nor a Regex')
  const known = KNOWN.get(source)
  if (known !== undefined) return new RegExp(known, 'gu')
  try {
    return translatePattern(source)
  } catch (cause) {
    throw invalid(field, `cannot be read: ${source.slice(0, 60)}`, cause)
  }
}
