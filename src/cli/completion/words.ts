/** What there is to complete, as the scripts of all shells need it. */
import { COMMANDS, type Command, HELP } from '../command-table.ts'
import { type Flag, longName, shortName } from '../flags.ts'
import { TOPICS } from '../help/topics.ts'

/** A command and the words that may follow it. */
export interface CommandWords {
  readonly name: string
  readonly summary: string
  readonly words: readonly string[]
  readonly flags: readonly Flag[]
  readonly takesModels: boolean
  /** What follows after some of its words. */
  readonly following?: Command['following']
}

export function commandWords(): CommandWords[] {
  const topics = [...TOPICS.map(({ name }) => name), ...COMMANDS.map(({ name }) => name)]
  return [...COMMANDS, { ...HELP, words: topics }].map((command) => ({
    words: [],
    flags: [],
    takesModels: false,
    ...command,
  }))
}

/** Both spellings. */
export function spellings(flag: Flag): string[] {
  const short = shortName(flag)
  return short === undefined ? [longName(flag)] : [short, longName(flag)]
}
