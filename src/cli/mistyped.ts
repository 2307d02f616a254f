/** Command lines that look like a command and are not: asked about, since a prompt of one bare word is rare. */
import { SpoutError } from '../errors.ts'
import { shellWord } from './clusters.ts'
import { COMMANDS, HELP } from './command-table.ts'
import { isModelsAction } from './models-actions.ts'
import { editDistance } from './nearest.ts'

/** What other programs of this kind call it. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  ...{ ls: 'models list', download: 'models pull', install: 'models pull', get: 'models pull' },
  ...{ remove: 'models rm', delete: 'models rm', uninstall: 'models rm', info: 'models show' },
  version: '--version',
}

/** With one word after them, such as the name of an old model, they are hardly ever a text to go on with. */
const NO_PROMPTS = /^(pull|rm|prepare|download|install|uninstall)$/

/**
 * @param argv the whole command line
 * @param words those of it that are no flags
 * @throws SpoutError `usage` when the words are a command behind flags, or nearly one
 */
export function refuseMistyped(argv: readonly string[], words: readonly string[]): void {
  if (argv.includes('--') || words.length === 0) return
  const areBare = words.every((word) => /^[\w@./-]+$/.test(word))
  const meant = areBare ? (commandBehindFlags(argv, words) ?? meantBy(words)) : runOf(words)
  if (meant === undefined) return
  const prompt = ['spout', '--', ...words.map(shellWord)].join(' ')
  throw new SpoutError('usage', `${words.join(' ')}: a prompt, or a command?`, {
    hint: `the command: spout ${meant}; a prompt: ${prompt}`,
  })
}

/** `spout --offline models list`: a command comes first. */
function commandBehindFlags([first = '']: readonly string[], words: readonly string[]): string | undefined {
  const command = [...COMMANDS, HELP].find(({ name }) => name === words[0])
  const isWhole = words.length === 1 || (command?.words ?? []).includes(words[1]!)
  return first.startsWith('-') && command !== undefined && isWhole
    ? `${words.join(' ')} [options]`
    : undefined
}

function meantBy([first = '', ...rest]: readonly string[]): string | undefined {
  const areModels = rest.every((word) => word.includes('/')) || (rest.length === 1 && NO_PROMPTS.test(first))
  const tail = rest.map((word) => ` ${word}`).join('')
  if (isModelsAction(first) && areModels) return `models ${first}${tail}`
  const run = runOf([first, ...rest])
  if (run !== undefined) return run
  if (Object.hasOwn(ELSEWHERE, first) && areModels) return `${ELSEWHERE[first]}${tail}`
  const near = COMMANDS.find(({ name }) => isNear(first, name))
  const isWhole = rest.length === 0 || near?.words?.some((word) => isNear(rest[0]!, word) || rest[0] === word)
  return near !== undefined && isWhole ? `${near.name}${tail}` : undefined
}

/** `run org/name "a prompt"`. */
function runOf([first, model = '']: readonly string[]): string | undefined {
  return first === 'run' && /^[\w.-]+\/[\w.@-]+$/.test(model) ? `-m ${model} "your prompt"` : undefined
}

/** One letter more, less, other or in the wrong place. */
function isNear(word: string, name: string): boolean {
  return name.length > 3 && word !== name && editDistance(word.toLowerCase(), name) <= 1
}
