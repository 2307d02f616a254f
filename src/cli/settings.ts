/**
 * Defaults of the user's: a flag wins over its variable, the variable over the configuration file. What a setting may
 * be is what its flag may be.
 */
import { accessSync, constants } from 'node:fs'
import { dirname } from 'node:path'
import { SpoutError } from '../errors.ts'
import { makeFolder } from '../system/make-folder.ts'
import { readRegular } from '../system/regular-file.ts'
import { quote } from '../system/text-display.ts'
import { linkTarget, writeWhole } from '../system/write-whole.ts'
import { shellWord } from './clusters.ts'
import { configPath } from './config-path.ts'
import { type Flag, isNegated, longName, optionKey, SETTING_FLAGS, takesValue } from './flags.ts'
import { nearest } from './nearest.ts'
import type { Options } from './options.ts'

/** A flag that may have a default, by the name it has in the configuration file. */
export const SETTINGS: ReadonlyMap<string, Flag> = new Map(
  SETTING_FLAGS.map((flag) => [longName(flag).slice(2), flag]),
)

/** Bytes of a configuration file. */
const LONGEST_FILE = 2 ** 20

/** The models' cache has the hub's own variables, and `SPOUT_CACHE_DIR` is where our own files are. */
const WITHOUT_VARIABLE = 'cache-dir'
const HUB_CACHE_VARIABLES = ['HF_HUB_CACHE', 'HUGGINGFACE_HUB_CACHE', 'HF_HOME']

export function variableOf(name: string): string | undefined {
  return name === WITHOUT_VARIABLE ? undefined : `SPOUT_${name.replaceAll('-', '_').toUpperCase()}`
}

interface Setting {
  readonly name: string
  /** As the user wrote it. */
  readonly text: string
  readonly value: unknown
  /** A variable's name, or the configuration file's path. */
  readonly source: string
}

/** Every default the user has set. @throws SpoutError `usage` for a bad variable or key, `config` for a bad file. */
export function readSettings(env: NodeJS.ProcessEnv = process.env): Setting[] {
  const path = configPath(env)
  const file = readConfigFile(path)
  return [...SETTINGS].flatMap(([name, flag]) => {
    const variable = variableOf(name)
    const text = variable === undefined ? undefined : env[variable]
    if (text) return [{ name, text, value: parseSetting(flag, text, variable!), source: variable! }]
    if (!file.has(name) || (name === WITHOUT_VARIABLE && HUB_CACHE_VARIABLES.some((v) => env[v]))) return []
    const written = file.get(name)
    return [{ name, text: String(written), value: fileValue(flag, name, written, path), source: path }]
  })
}

/**
 * A failure that speaks of what a setting says names the setting: nobody thinks of a file written a year ago.
 * @param given what the flags say: a setting that a flag has replaced is not at fault
 */
export function namingSettings(error: unknown, given: object): unknown {
  if (!(error instanceof SpoutError)) return error
  const atFault = settingsInUse(given).filter((setting) => isAtFault(setting, error))
  if (atFault.length === 0) return error
  const told = atFault.map(({ name, source }) => `the ${name} is that of ${source}`).join(', ')
  const hint = error.hint === undefined ? told : `${error.hint} (${told})`
  return new SpoutError(error.code, error.message, { hint, cause: error })
}

function isAtFault({ name, text, value }: Setting, { code, message }: SpoutError): boolean {
  // Whoever has forgotten that he is offline is told to use the network.
  if (name === 'offline') return value === true && code === 'not-found'
  return text.length > 1 && message.includes(text)
}

/** What is set, and where, as far as no flag has replaced it. */
export function settingLines(given: object): string[] {
  return settingsInUse(given).map(({ name, text, source }) => `${name} = ${text} (${source})`)
}

function settingsInUse(given: object): Setting[] {
  const flags = given as Record<string, unknown>
  return readSettings().filter(({ name }) => {
    const flag = SETTINGS.get(name)!
    return isNegated(flag) || flags[optionKey(flag)] === undefined
  })
}

/** The options with the user's defaults under them. */
export function withSettings(options: Options, env: NodeJS.ProcessEnv = process.env): Options {
  const defaults = readSettings(env).map(({ name, value }) => {
    const flag = SETTINGS.get(name)!
    return [optionKey(flag), isNegated(flag) ? !value : value]
  })
  return {
    ...options,
    ...Object.fromEntries(defaults),
    ...Object.fromEntries(Object.entries(options).filter(isGiven)),
  }
}

const UNTOUCHED: ReadonlySet<string> = new Set([...SETTINGS.values()].filter(isNegated).map(optionKey))

/** Commander gives a switch like --no-prepare the value true when nobody wrote it. */
function isGiven([key, value]: readonly [string, unknown]): boolean {
  return !(value === true && UNTOUCHED.has(key))
}

/** Checks a value as the flag would. @throws SpoutError `usage`. */
export function parseSetting(flag: Flag, text: string, where: string): unknown {
  try {
    if (!takesValue(flag)) return parseSwitch(text)
    return flag.parse === undefined ? text : flag.parse(text)
  } catch (error) {
    if (!(error instanceof SpoutError)) throw error
    const { hint } = error
    throw new SpoutError('usage', `${where}: ${error.message}`, {
      ...(hint === undefined ? {} : { hint }),
      cause: error,
    })
  }
}

function parseSwitch(text: string): boolean {
  if (/^(1|true|yes|on)$/i.test(text)) return true
  if (/^(0|false|no|off)$/i.test(text)) return false
  throw new SpoutError('usage', `${quote(text, 80)} is not true or false`)
}

function fileValue(flag: Flag, name: string, written: unknown, path: string): unknown {
  try {
    if (!/^(string|number|boolean)$/.test(typeof written)) {
      const expected = 'a text, a number, true or false'
      throw new SpoutError('usage', `${name}: ${quote(written, 80)} is not ${expected}`)
    }
    return parseSetting(flag, String(written), name)
  } catch (error) {
    throw new SpoutError('config', `${path}: ${(error as Error).message}`, {
      hint: `spout config unset ${name}`,
      cause: error,
    })
  }
}

/** The flag of a name in the configuration file. @throws SpoutError `usage` with the nearest name. */
export function settingFlag(name: string, where = 'config'): Flag {
  const flag = SETTINGS.get(name)
  if (flag !== undefined) return flag
  const names = [...SETTINGS.keys()]
  const near = nearest(name, names)
  const hint = near === undefined ? `there are ${names.join(', ')}` : `did you mean ${near}`
  throw new SpoutError('usage', `${where}: no setting is called ${quote(name, 80)}`, {
    hint: where === 'config' ? hint : `${hint}; spout config unset ${shellWord(name)} removes it`,
  })
}

/**
 * The keys and values of the configuration file; empty where there is none.
 * @param options.strict false: keys that are no settings are given too
 */
export function readConfigFile(path: string, { strict = true } = {}): Map<string, unknown> {
  let text: string
  try {
    text = readRegular(path, { most: LONGEST_FILE }).toString('utf8')
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR' || isOutOfReach(path)) return new Map()
    const reason = code === 'ENOTREG' ? (cause as Error).message : code
    throw new SpoutError('config', `${path}: cannot be read: ${reason}`, { cause })
  }
  const entries = Object.entries(parseObject(text, path))
  if (strict) for (const [name] of entries) settingFlag(name, path)
  return new Map(entries)
}

/** In a folder one may not enter, as another user's home is, lies nobody's configuration of ours. */
function isOutOfReach(path: string): boolean {
  try {
    accessSync(dirname(path), constants.X_OK)
    return false
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EACCES'
  }
}

function parseObject(text: string, path: string): object {
  let value: unknown
  try {
    value = text.trim() === '' ? {} : JSON.parse(text.replace(/^\uFEFF/, ''))
  } catch (cause) {
    throw new SpoutError('config', `${path}:${lineOf(text, cause)}: not JSON`, {
      hint: `an object, such as {"threads": 2}`,
      cause,
    })
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value
  throw new SpoutError('config', `${path}:1: not an object`, { hint: `an object, such as {"threads": 2}` })
}

const TOKENS = /(?:[\s{}[\]:,]|"(?:[^"\\\n]|\\.)*"|-?\d[\d.eE+-]*|true|false|null)*/y

/** The parser names the place only in its message, as an offset, and not always: then it is where no token of JSON is. */
function lineOf(text: string, cause: unknown): number {
  const offset = /position (\d+)/.exec((cause as Error).message)?.[1]
  TOKENS.lastIndex = 0
  const end = offset === undefined ? TOKENS.exec(text)![0].length : Number(offset)
  return text.slice(0, end).split('\n').length
}

/** Replaces the configuration file as a whole, so that a crash leaves the old or the new one. A link to it stays one. */
export function writeConfigFile(path: string, settings: ReadonlyMap<string, unknown>): void {
  const target = linkTarget(path)
  try {
    makeFolder(dirname(target))
    writeWhole(target, `${JSON.stringify(Object.fromEntries(settings), null, 2)}\n`)
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    throw new SpoutError('output', `${path}: cannot be written: ${code}`, { cause })
  }
}
