import { FLAGS, type Flag, longName, shortName, takesValue } from '../flags.ts'
import { type CommandWords, commandWords } from './words.ts'

/** Completion for fish. */
export function fishScript(): string {
  const commands = commandWords()
  const names = commands.map(({ name }) => name).join(' ')
  return [
    '# fish completion of spout',
    'complete -c spout -f',
    ...commands.map(
      ({ name, summary }) => `complete -c spout -n __fish_use_subcommand -a ${name} -d ${quoted(summary)}`,
    ),
    ...commands.flatMap(wordLine),
    ...FLAGS.map((flag) => flagLine(flag, oneShotCondition(flag, commands, names))),
    `complete -c spout -s h -l help -d 'print help'`,
    `complete -c spout -s V -l version -d 'print the version'`,
    '',
  ].join('\n')
}

function wordLine({ name, words, takesModels, following }: CommandWords): string[] {
  if (words.length === 0) return []
  const condition = quoted(`__fish_seen_subcommand_from ${name}`)
  const models = takesModels ? ' (spout completion models)' : ''
  const next = `${quoted(`__fish_seen_subcommand_from ${name}; and __fish_seen_subcommand_from ${following?.after.join(' ')}`)}`
  return [
    `complete -c spout -n ${condition} -a ${quoted(words.join(' ') + models)}`,
    ...(following === undefined
      ? []
      : [`complete -c spout -n ${next} -a ${quoted(following.words.join(' '))}`]),
  ]
}

/** Flags belong to the main command, and to those commands that take them too. */
function oneShotCondition(flag: Flag, commands: readonly CommandWords[], names: string): string {
  const taking = commands.filter(({ flags }) => flags.includes(flag)).map(({ name }) => name)
  const main = `not __fish_seen_subcommand_from ${names}`
  return taking.length === 0 ? main : `${main}; or __fish_seen_subcommand_from ${taking.join(' ')}`
}

function flagLine(flag: Flag, condition: string): string {
  const short = shortName(flag)
  const spelled = short === undefined ? '' : ` -s ${short.slice(1)}`
  const name = longName(flag).slice(2)
  return `complete -c spout -n ${quoted(condition)}${spelled} -l ${name}${value(flag)} -d ${quoted(flag.help)}`
}

function value(flag: Flag): string {
  const { values } = flag
  if (!takesValue(flag)) return ''
  if (values === 'model') return ` -x -a '(spout completion models) (__fish_complete_directories)'`
  if (values === 'file' || values === 'folder') return ' -r -F'
  return values === undefined ? ' -x' : ` -x -a ${quoted(values.join(' '))}`
}

function quoted(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
}
