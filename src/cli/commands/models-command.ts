/** `spout models`: from words and flags to what models.ts does. */
import { SpoutError } from '../../errors.ts'
import { quote } from '../../system/text-display.ts'
import type { Context } from '../context.ts'
import { type Flag, longName, MODELS_FLAGS, optionKey } from '../flags.ts'
import { commandHelp, section } from '../help/help-text.ts'
import { nearest } from '../nearest.ts'
import { parseCommandLine } from '../program.ts'
import { withSettings } from '../settings.ts'
import { modelsCommands } from './models.ts'
import type { ModelsOptions } from './models-io.ts'

export type ModelsAction = keyof typeof modelsCommands

/** What each action does, and the flags of its own. */
const ACTIONS: Readonly<
  Record<ModelsAction, { readonly summary: string; readonly flags: readonly string[] }>
> = {
  list: { summary: 'what is in the cache', flags: ['--all'] },
  pull: { summary: 'download models, or bring them up to date', flags: ['--dtype', '--repair'] },
  show: { summary: 'what a model is', flags: ['--dtype'] },
  prepare: {
    summary: 'make a model ready to start quickly; without a name, the one that runs by default',
    flags: ['--dtype', '--threads', '--precise', '--again'],
  },
  prune: { summary: 'remove what was prepared', flags: ['--keep', '--dry-run'] },
  rm: { summary: 'remove models from the cache', flags: ['--dry-run'] },
  verify: { summary: 'hash the files of models, of all when none is named', flags: [] },
  path: { summary: 'the folder of a model', flags: ['--dtype'] },
}
const EVERYWHERE = ['--json', '--cache-dir', '--offline', '--quiet', '--verbose', '--color']

export function modelsHelp(): string {
  return commandHelp({
    usage: 'spout models <action> [model...]',
    summary: 'Manages the models in the Hugging Face cache, which Python and other programs share.',
    flags: MODELS_FLAGS,
    more: [
      section(
        'Actions',
        Object.entries(ACTIONS).map(([name, { summary }]) => [name, summary]),
      ),
    ],
  })
}

export async function modelsCommand(argv: readonly string[], context: Context): Promise<void> {
  const { words, options } = parseCommandLine<ModelsOptions>(argv, {
    name: 'spout models',
    flags: MODELS_FLAGS,
    help: modelsHelp,
    words: true,
  })
  const [action = 'list', ...models] = words
  if (!Object.hasOwn(ACTIONS, action)) throw unknownAction(action)
  refuseForeignFlags(action as ModelsAction, options)
  const { stdout, interrupts } = context
  interrupts.listen()
  try {
    const io = { stdout, stderr: process.stderr, env: process.env }
    const all = action === 'prepare' ? { ...settings(), ...options } : options
    await modelsCommands[action as ModelsAction](models, { ...all, signal: interrupts.signal }, io)
    await stdout.flush()
  } finally {
    interrupts.release()
  }
}

/** What a prompt without flags runs with: that is what is to be prepared. */
function settings(): ModelsOptions {
  const { model, dtype, threads, precise, cacheDir, offline } = withSettings({ stdin: true, newline: true })
  return { model, dtype, threads, precise, cacheDir, offline }
}

/** A flag of another action would do nothing; whoever wrote it expects something. */
function refuseForeignFlags(action: ModelsAction, options: object): void {
  const allowed = [...EVERYWHERE, ...ACTIONS[action].flags]
  const isGiven = (flag: Flag): boolean => {
    return (options as Record<string, unknown>)[optionKey(flag)] !== undefined
  }
  const foreign = MODELS_FLAGS.find((flag) => isGiven(flag) && !allowed.includes(longName(flag)))
  if (foreign === undefined) return
  throw new SpoutError('usage', `${longName(foreign)}: not a flag of models ${action}`, {
    hint: 'spout help models',
  })
}

function unknownAction(action: string): SpoutError {
  const similar = nearest(action, Object.keys(ACTIONS))
  return new SpoutError('usage', `models: there is no action ${quote(action)}`, {
    hint: similar === undefined ? 'spout help models' : `spout models ${similar}`,
  })
}
