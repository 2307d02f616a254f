/** Command lines, read by commander as the table of flags says. Its help is ours, and its complaints are thrown. */
import { Command, CommanderError, Option } from 'commander'
import { SpoutError } from '../errors.ts'
import { checkArguments } from './arguments.ts'
import { refuseTexts, shellWord } from './clusters.ts'
import { type Flag, longName, takesValue } from './flags.ts'
import { hintForForeign } from './foreign-flags.ts'
import { nearest } from './nearest.ts'

/** `--help` or `--version` was asked for: this is to be printed, and nothing else happens. */
export class Requested extends Error {
  override readonly name = 'Requested'
  readonly text: string

  constructor(text: string) {
    super('requested')
    this.text = text
  }
}

interface CommandLineOptions {
  /** As messages call it: `spout`, `spout chat`. */
  readonly name: string
  readonly flags: readonly Flag[]
  readonly help: () => string
  readonly version?: () => string
  /** Words that are no flags are allowed. */
  readonly words?: boolean
}

interface CommandLine<Options> {
  readonly words: readonly string[]
  readonly options: Options
}

/** @throws SpoutError `usage`, or Requested. */
export function parseCommandLine<Options>(
  argv: readonly string[],
  { name, flags, help, version, words = false }: CommandLineOptions,
): CommandLine<Options> {
  const command = new Command(name).exitOverride().helpOption(false)
  command.configureOutput({ writeErr: () => undefined, writeOut: () => undefined })
  if (words) command.argument('[words...]')
  for (const flag of flags) command.addOption(makeOption(flag))
  addPage(command, '-h, --help', help)
  if (version !== undefined) addPage(command, '-V, --version', version)
  refuseRepeats(command, flags)
  checkArguments(argv)
  refuseTexts(argv, name, flags)
  try {
    command.parse([...argv], { from: 'user' })
  } catch (error) {
    throw error instanceof CommanderError ? asUsageError(error, name, flags) : error
  }
  return { words: command.args, options: command.opts() as Options }
}

function addPage(command: Command, flags: string, page: () => string): void {
  command.addOption(new Option(flags))
  const name = flags.slice(flags.indexOf('--') + 2)
  command.on(`option:${name}`, () => {
    throw new Requested(page())
  })
}

function makeOption(flag: Flag): Option {
  const option = new Option(flag.flags)
  // --no-repeat-ngram-size is no --no-.
  if (takesValue(flag)) option.negate = false
  const { parse = (text: string): unknown => text } = flag
  return option.argParser((text: string, previous: unknown) => {
    const value = named(flag, () => parse(text))
    return flag.repeatable ? [...((previous as unknown[]) ?? []), value] : value
  })
}

function named<T>(flag: Flag, parse: () => T): T {
  try {
    return parse()
  } catch (error) {
    if (!(error instanceof SpoutError)) throw error
    const hint = error.hint ?? optionalValueHint(flag)
    throw new SpoutError(error.code, `${longName(flag)}: ${error.message}`, {
      ...(hint === undefined ? {} : { hint }),
      cause: error,
    })
  }
}

/** A flag whose value may be left out takes the word that follows, which may have been meant for the prompt. */
function optionalValueHint(flag: Flag): string | undefined {
  return flag.flags.includes('[') ? `put ${longName(flag)} after the prompt, or give it a value` : undefined
}

/** The last of two values would win without a word; whoever wrote two meant something else. */
function refuseRepeats(command: Command, flags: readonly Flag[]): void {
  for (const [i, flag] of flags.entries()) {
    if (flag.repeatable) continue
    let seen = false
    command.on(`option:${command.options[i]!.name()}`, () => {
      if (seen) throw new SpoutError('usage', `${longName(flag)}: given twice`)
      seen = true
    })
  }
}

function asUsageError(error: CommanderError, name: string, flags: readonly Flag[]): SpoutError {
  const quoted = /'([^']*)'/.exec(error.message)?.[1] ?? ''
  if (error.code === 'commander.unknownOption') {
    const hint = flagHint(quoted, flags) ?? `spout help options; a prompt: ${name} -- ${shellWord(quoted)}`
    return new SpoutError('usage', `${quoted}: no such option`, { hint, cause: error })
  }
  if (error.code === 'commander.optionMissingArgument') {
    const flag = /--[\w-]+/.exec(quoted)?.[0] ?? quoted
    return new SpoutError('usage', `${flag}: a value is missing`, {
      hint: 'spout help options',
      cause: error,
    })
  }
  return new SpoutError('usage', error.message.replace(/^error: /, ''), {
    hint: 'spout --help',
    cause: error,
  })
}

/** Names of other programs first: `--temp` is nearer to `--help` than to what it is. */
function flagHint(written: string, flags: readonly Flag[]): string | undefined {
  const name = written.replace(/=.*/s, '').replaceAll('_', '-')
  const known = [...flags.map(longName), '--help', '--version']
  if (known.includes(name)) return `did you mean ${name}`
  const foreign = hintForForeign(name)
  if (foreign !== undefined) return foreign
  const near = nearest(name, known)
  return near === undefined ? undefined : `did you mean ${near}`
}
