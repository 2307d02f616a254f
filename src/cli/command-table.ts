/** The commands beside the main one, by their first word, for help and completion. What runs them is in commands.ts. */
import { BATCH_FLAGS } from './batch-flags.ts'
import {
  CACHE_FLAGS,
  CHAT_FLAGS,
  DEVICES_FLAGS,
  type Flag,
  longName,
  MODELS_FLAGS,
  SETTING_FLAGS,
  VERIFY_FLAGS,
  WORKER_FLAGS,
} from './flags.ts'
import { MODELS_ACTIONS } from './models-actions.ts'
import { FILTER_FLAGS, RANK_FLAGS, SCORE_FLAGS } from './scoring-flags.ts'
import { SERVE_FLAGS } from './serve-flags.ts'

/** What `spout config` does, and the number of words with the action's own. */
export const CONFIG_ACTIONS = { list: 1, get: 2, set: 3, unset: 2, path: 1 } as const

/** What `spout cache` does. */
export const CACHE_ACTIONS = {
  show: 'what is kept, of which models (the default)',
  prune: 'remove what was used least lately, and what no run would use',
  clear: 'remove all of it',
} as const

/** What `spout worker` does. */
export const WORKER_ACTIONS = {
  status: 'which there are, and what they do (the default)',
  stop: 'end them; what they are answering ends first',
} as const

/** A flag that may have a default has a name without dashes in the configuration file. */
const SETTING_NAMES: readonly string[] = SETTING_FLAGS.map((flag) => longName(flag).slice(2))

export interface Command {
  readonly name: string
  readonly summary: string
  /** The words that may follow the name. */
  readonly words?: readonly string[]
  readonly flags?: readonly Flag[]
  /** After its words come names of models. */
  readonly takesModels?: true
  /** What follows after some of its words. */
  readonly following?: { readonly after: readonly string[]; readonly words: readonly string[] }
}

export const COMMANDS: readonly Command[] = [
  { name: 'chat', summary: 'talk with a model', flags: CHAT_FLAGS },
  { name: 'batch', summary: 'answer many prompts: lines, rows, JSON', words: ['merge'], flags: BATCH_FLAGS },
  { name: 'serve', summary: "answer by HTTP, as OpenAI's interface has it", flags: SERVE_FLAGS },
  { name: 'filter', summary: 'print the lines that are as a criterion says', flags: FILTER_FLAGS },
  { name: 'rank', summary: 'sort lines by a quality', flags: RANK_FLAGS },
  { name: 'score', summary: 'tell how likely given texts are', flags: SCORE_FLAGS },
  {
    name: 'models',
    summary: 'list, download, describe, verify and remove models',
    words: Object.keys(MODELS_ACTIONS),
    flags: MODELS_FLAGS,
    takesModels: true,
  },
  {
    name: 'cache',
    summary: 'show, prune and clear what is kept of prompts',
    words: Object.keys(CACHE_ACTIONS),
    flags: CACHE_FLAGS,
  },
  {
    name: 'worker',
    summary: 'show and stop what keeps a model loaded between runs',
    words: Object.keys(WORKER_ACTIONS),
    flags: WORKER_FLAGS,
  },
  { name: 'verify', summary: 'run what a receipt tells of again, and compare', flags: VERIFY_FLAGS },
  {
    name: 'devices',
    summary: 'show the graphics cards, and whether a model can run there',
    flags: DEVICES_FLAGS,
  },
  { name: 'schema', summary: 'print the JSON Schema that fields stand for' },
  {
    name: 'config',
    summary: 'show and set defaults',
    words: Object.keys(CONFIG_ACTIONS),
    following: { after: ['get', 'set', 'unset'], words: SETTING_NAMES },
  },
  {
    name: 'completion',
    summary: 'print completion for bash, zsh or fish',
    words: ['bash', 'zsh', 'fish'],
  },
]

/** Not in the table: it speaks about all that are. */
export const HELP: Command = { name: 'help', summary: 'more about a topic or a command' }
