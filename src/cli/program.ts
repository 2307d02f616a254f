/** The commander program, made from the table of flags. */
import { Command, CommanderError, Option } from 'commander'
import { SpoutError } from '../errors.ts'
import { FLAGS, type Flag } from './flags.ts'
import type { Options } from './options.ts'
import { version } from './version.ts'

export type Run = (words: readonly string[], options: Options) => Promise<void>

const EXAMPLES = `
Examples:
  spout "Once upon a time"
  git diff | spout "Write a commit message"
  spout -f notes.txt "Summarise this" --json | jq -r .text`

export function makeProgram(run: Run): Command {
  const program = new Command('spout')
    .description('Generates text from a local model. What is piped in comes before the prompt.')
    .argument('[prompt...]', 'the prompt; - is stdin')
    .version(version(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .addHelpText('after', EXAMPLES)
    .configureHelp({ helpWidth: 100 })
    .exitOverride()
    .configureOutput({ writeErr: () => undefined })
  for (const flag of FLAGS) program.addOption(makeOption(flag))
  refuseRepeats(program)
  return program.action((words: string[], options: Options) => run(words, options))
}

function makeOption(flag: Flag): Option {
  const option = new Option(flag.flags, flag.help).helpGroup(`${flag.group}:`)
  const parse = flag.parse ?? ((text: string) => text)
  if (flag.parse !== undefined || flag.repeatable) {
    option.argParser((text: string, previous: unknown) => {
      const value = named(flag, () => parse(text))
      return flag.repeatable ? [...((previous as unknown[]) ?? []), value] : value
    })
  }
  return option
}

function named<T>(flag: Flag, parse: () => T): T {
  try {
    return parse()
  } catch (error) {
    if (!(error instanceof SpoutError)) throw error
    throw new SpoutError(error.code, `${longName(flag)}: ${error.message}`, { cause: error })
  }
}

function longName(flag: Flag): string {
  return /--[\w-]+/.exec(flag.flags)?.[0] ?? flag.flags
}

/** The last of two values would win without a word; whoever wrote two meant something else. */
function refuseRepeats(program: Command): void {
  for (const flag of FLAGS) {
    if (flag.repeatable) continue
    let seen = false
    program.on(`option:${program.options[FLAGS.indexOf(flag) + 1]!.name()}`, () => {
      if (seen) throw new SpoutError('usage', `${longName(flag)}: given twice`)
      seen = true
    })
  }
}

/** Commander's own complaints as ours; `undefined` for help and version, which are no errors. */
export function asUsageError(error: unknown): SpoutError | undefined {
  if (!(error instanceof CommanderError) || error.exitCode === 0) return undefined
  const [what, suggestion] = error.message.replace(/^error: /, '').split('\n')
  const hint = suggestion?.replace(/[()?]/g, '').trim() ?? 'spout --help'
  return new SpoutError('usage', what ?? error.message, { hint, cause: error })
}
