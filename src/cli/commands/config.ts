/** `spout config`: the user's defaults, shown and changed. */
import { SpoutError } from '../../errors.ts'
import { quote } from '../../system/text-display.ts'
import type { Context } from '../context.ts'
import { longName } from '../flags.ts'
import { columns } from '../help/columns.ts'
import { commandHelp, section } from '../help/help-text.ts'
import { nearest } from '../nearest.ts'
import { configPath } from '../own-files.ts'
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

const ACTIONS = ['list', 'get', 'set', 'unset', 'path'] as const

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
  const expected = { list: 1, path: 1, get: 2, unset: 2, set: 3 }[action as (typeof ACTIONS)[number]]
  if (expected === undefined) throw unknownAction(action)
  if (Math.max(1, words.length) !== expected || rest.length > 0) {
    throw new SpoutError('usage', `config ${action}: wrong number of words`, { hint: 'spout help config' })
  }
  await stdout.write(runAction(action as (typeof ACTIONS)[number], name ?? '', value ?? ''))
  await stdout.flush()
}

function runAction(action: (typeof ACTIONS)[number], name: string, value: string): string {
  const path = configPath()
  if (action === 'path') return `${path}\n`
  if (action === 'list') return listSettings()
  const flag = settingFlag(name)
  if (action === 'get') {
    const setting = readSettings().find((found) => found.name === name)
    return setting === undefined ? '' : `${setting.text}\n`
  }
  const file = readConfigFile(path)
  file.delete(name)
  if (action === 'set') file.set(name, asJson(parseSetting(flag, value, name), value))
  writeConfigFile(path, file)
  return ''
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
  const near = nearest(action, ACTIONS)
  return new SpoutError('usage', `config: no action is called ${quote(action, 80)}`, {
    hint: near === undefined ? 'spout help config' : `did you mean ${near}`,
  })
}
