/** `spout config`: the user's defaults, shown and changed. */
import { statSync } from 'node:fs'
import { resolve } from 'node:path'
import { SpoutError } from '../../errors.ts'
import { quote } from '../../system/text-display.ts'
import { CONFIG_ACTIONS } from '../command-table.ts'
import { configPath } from '../config-path.ts'
import type { Context } from '../context.ts'
import { type Flag, longName } from '../flags.ts'
import { columns } from '../help/columns.ts'
import { commandHelp, section } from '../help/help-text.ts'
import { nearest } from '../nearest.ts'
import { parseCommandLine } from '../program.ts'
import {
  parseSetting,
  readConfigFile,
  readSettings,
  SETTINGS,
  settingFlag,
  variableOf,
  writeConfigFile,
} from '../settings.ts'

type ConfigAction = keyof typeof CONFIG_ACTIONS

function configHelp(): string {
  return commandHelp({
    usage: 'spout config [list | get <name> | set <name> <value> | unset <name> | path]',
    summary: `Shows and sets defaults. They are kept in ${displayPath()}; a variable wins over it, and a flag over both.`,
    more: [
      section(
        'Settings',
        [...SETTINGS].map(([name, flag]) => [
          name,
          `${longName(flag)}, ${variableOf(name) ?? 'HF_HUB_CACHE'}`,
        ]),
      ),
    ],
  })
}

function displayPath(): string {
  return '$XDG_CONFIG_HOME/spout/config.json (~/.config/spout/config.json)'
}

export async function configCommand(argv: readonly string[], { stdout }: Context): Promise<void> {
  const { words } = parseCommandLine(argv, { name: 'spout config', flags: [], help: configHelp, words: true })
  const [action = 'list', name, value, ...rest] = words
  if (!isAction(action)) throw unknownAction(action)
  if (Math.max(1, words.length) !== CONFIG_ACTIONS[action] || rest.length > 0) {
    throw new SpoutError('usage', `config ${action}: wrong number of words`, { hint: 'spout help config' })
  }
  await stdout.write(runAction(action, name ?? '', value ?? ''))
  await stdout.flush()
}

function runAction(action: ConfigAction, name: string, value: string): string {
  const path = configPath()
  if (action === 'path') return `${path}\n`
  if (action === 'list') return listSettings()
  if (action === 'get') {
    settingFlag(name)
    const setting = readSettings().find((found) => found.name === name)
    return setting === undefined ? '' : `${setting.text}\n`
  }
  // What is unknown there stays, or goes when it is named: else nothing but an editor could mend the file.
  const file = readConfigFile(path, { strict: false })
  if (action === 'set') file.set(name, toKeep(settingFlag(name), name, value))
  else if (!file.delete(name)) settingFlag(name)
  writeConfigFile(path, file)
  return ''
}

function isAction(word: string): word is ConfigAction {
  return Object.hasOwn(CONFIG_ACTIONS, word)
}

/** What the file gets: a path means the same from every folder. @throws SpoutError `usage` for what the flag refuses. */
function toKeep(flag: Flag, name: string, value: string): unknown {
  const parsed = parseSetting(flag, value, name)
  const isPath = flag.values === 'folder' || (flag.values === 'model' && isFolderName(value))
  return asJson(parsed, isPath ? resolve(value) : value)
}

/** A model's name that is a folder, or can be nothing else. */
function isFolderName(name: string): boolean {
  return /^\.{0,2}[\\/]/.test(name) || (statSync(name, { throwIfNoEntry: false })?.isDirectory() ?? false)
}

function listSettings(): string {
  const settings = readSettings()
  if (settings.length === 0) return ''
  const rows = settings.map(({ name, text, source }) => [`${name} = ${text}`, `(${source})`] as const)
  return `${columns(rows, Number.POSITIVE_INFINITY).replace(/^ {2}/gm, '')}\n`
}

/** Numbers and switches as JSON has them, everything else as it was typed. */
function asJson(parsed: unknown, text: string): unknown {
  return typeof parsed === 'number' || typeof parsed === 'boolean' ? parsed : text
}

function unknownAction(action: string): SpoutError {
  const near = nearest(action, Object.keys(CONFIG_ACTIONS))
  return new SpoutError('usage', `config: no action is called ${quote(action, 80)}`, {
    hint: near === undefined ? 'spout help config' : `did you mean ${near}`,
  })
}
