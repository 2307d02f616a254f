/** The commands beside the main one, by their first word, for help and completion. What runs them is in commands.ts. */
import { CHAT_FLAGS, type Flag, MODELS_FLAGS } from './flags.ts'

export interface Command {
  readonly name: string
  readonly summary: string
  /** The words that may follow the name. */
  readonly words?: readonly string[]
  readonly flags?: readonly Flag[]
  /** After its words come names of models. */
  readonly takesModels?: true
}

export const COMMANDS: readonly Command[] = [
  { name: 'chat', summary: 'talk with a model', flags: CHAT_FLAGS },
  {
    name: 'models',
    summary: 'list, download, describe, verify and remove models',
    words: ['list', 'pull', 'show', 'rm', 'verify', 'path'],
    flags: MODELS_FLAGS,
    takesModels: true,
  },
  {
    name: 'config',
    summary: 'show and set defaults',
    words: ['list', 'get', 'set', 'unset', 'path'],
  },
  {
    name: 'completion',
    summary: 'print completion for bash, zsh or fish',
    words: ['bash', 'zsh', 'fish'],
  },
]

/** Not in the table: it speaks about all that are. */
export const HELP: Command = { name: 'help', summary: 'more about a topic or a command' }
