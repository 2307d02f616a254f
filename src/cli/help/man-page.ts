/** The manual page, in roff, from the same tables as the help. */
import { COMMANDS } from '../command-table.ts'
import { FLAG_GROUPS, FLAGS, type Flag } from '../flags.ts'
import { version } from '../version.ts'
import type { Row } from './columns.ts'
import { ENDINGS } from './endings.ts'
import { environmentRows } from './environment.ts'
import { EXAMPLES, SUMMARY } from './help-text.ts'

export function manPage(): string {
  return [
    `.TH SPOUT 1 "" "spout ${version()}" "User Commands"`,
    '.SH NAME',
    'spout \\- text generation from a local model',
    '.SH SYNOPSIS',
    '.B spout',
    '[\\fIoptions\\fR] [\\fIprompt\\fR...]',
    '.br',
    '.B spout',
    '\\fIcommand\\fR [\\fIoptions\\fR]',
    '.SH DESCRIPTION',
    roff(SUMMARY),
    roff(
      'The prompt is made of files, then what is piped in, then the words of the command line, a blank line between them.',
    ),
    '.SH COMMANDS',
    ...COMMANDS.flatMap(({ name, summary }) => item([`spout ${name}`, summary])),
    ...item(['spout help [topic]', 'more about a topic or a command']),
    ...FLAG_GROUPS.flatMap(groupSection),
    '.SH EXIT STATUS',
    ...ENDINGS.flatMap(item),
    '.SH ENVIRONMENT',
    ...environmentRows().flatMap(item),
    '.SH FILES',
    ...item(['~/.config/spout/config.json', 'defaults; see spout help config']),
    ...item(['~/.cache/spout', 'history of spout chat']),
    '.SH EXAMPLES',
    '.nf',
    ...EXAMPLES.map(roff),
    '.fi',
    '',
  ].join('\n')
}

function groupSection(group: Flag['group']): string[] {
  const flags = FLAGS.filter((flag) => flag.group === group)
  return [`.SH ${group.toUpperCase()} OPTIONS`, ...flags.flatMap(({ flags, help }) => item([flags, help]))]
}

function item([name, text]: Row): string[] {
  return ['.TP', `.B ${roff(name)}`, roff(text)]
}

/** Hyphens that are to be copied, backslashes, and lines that would begin with a request. */
function roff(text: string): string {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replace(/^([.'])/, '\\&$1')
}
