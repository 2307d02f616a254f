/** The pages of help, made from the table of flags. */
import { COMMANDS } from '../command-table.ts'
import { FLAG_GROUPS, FLAGS, type Flag, type FlagGroup } from '../flags.ts'
import { columns, HELP_WIDTH, type Row, wrap } from './columns.ts'

export const SUMMARY = 'Generates text from a local model. What is piped in comes before the prompt.'

export const EXAMPLES: readonly string[] = [
  'spout "Once upon a time"',
  'git diff | spout "Write a commit message"',
  'spout -f notes.txt "Summarise this" --json | jq -r .text',
]

/** What `spout --help` prints: what is needed every day. */
export function shortHelp(): string {
  return page([
    'Usage: spout [options] [prompt...]\n       spout <command> [options]',
    wrap(SUMMARY).join('\n'),
    section('Options', [
      ...FLAGS.filter((flag) => flag.everyday).map(flagRow),
      ['-h, --help', 'print this help'],
      ['-V, --version', 'print the version'],
    ]),
    section('Commands', [...COMMANDS.map(({ name, summary }): Row => [name, summary]), HELP_ROW]),
    `Examples:\n${EXAMPLES.map((line) => `  ${line}`).join('\n')}`,
    'All options: spout help options. A prompt that is one of the commands: spout -- chat.',
  ])
}

const HELP_ROW: Row = ['help [topic]', 'more about a topic or a command']

/** Every flag, by groups. */
export function optionsHelp(flags: readonly Flag[] = FLAGS): string {
  return page(FLAG_GROUPS.flatMap((group) => groupHelp(group, flags)))
}

/** One group of flags; nothing when none of `flags` is in it. */
export function groupHelp(group: FlagGroup, flags: readonly Flag[] = FLAGS): string[] {
  const rows = flags.filter((flag) => flag.group === group).map(flagRow)
  return rows.length === 0 ? [] : [section(group, rows)]
}

interface CommandPage {
  readonly usage: string
  readonly summary: string
  readonly flags?: readonly Flag[]
  /** Paragraphs and sections after the flags. */
  readonly more?: readonly string[]
}

/** The help of one command. */
export function commandHelp({ usage, summary, flags = [], more = [] }: CommandPage): string {
  const groups: readonly FlagGroup[] = ['Server', ...FLAG_GROUPS]
  const options = groups.flatMap((group) => groupHelp(group, flags))
  return page([`Usage: ${usage}`, wrap(summary).join('\n'), ...more, ...options])
}

export function section(title: string, rows: readonly Row[]): string {
  return `${title}:\n${columns(rows, HELP_WIDTH)}`
}

function flagRow({ flags, help, repeatable }: Flag): Row {
  const left = flags.startsWith('--') ? `    ${flags}` : flags
  return [left, repeatable ? `${help} (repeatable)` : help]
}

export function page(parts: readonly string[]): string {
  return `${parts.join('\n\n')}\n`
}
