/** `spout models`: from words and flags to what models.ts does. */
import { SpoutError } from '../../errors.ts'
import { quote } from '../../system/text-display.ts'
import type { Context } from '../context.ts'
import { type Flag, longName, MODELS_FLAGS, optionKey } from '../flags.ts'
import { commandHelp, section } from '../help/help-text.ts'
import { isModelsAction, MODELS_ACTIONS, type ModelsAction, takesFlag } from '../models-actions.ts'
import { nearest } from '../nearest.ts'
import { parseCommandLine } from '../program.ts'
import { namingSettings, withSettings } from '../settings.ts'
import { modelsCommands } from './models.ts'
import type { ModelsOptions } from './models-io.ts'

/** The help of one action, when the command line names one, else of all. */
function modelsHelp(argv: readonly string[]): string {
  const action = argv.find((word) => !word.startsWith('-'))
  if (action === undefined) return actionsHelp()
  if (!isModelsAction(action)) throw unknownAction(action)
  const { summary, usage } = MODELS_ACTIONS[action]
  return commandHelp({
    usage: ['spout models', action, '[options]', usage].join(' ').trimEnd(),
    summary: `${summary[0]!.toUpperCase()}${summary.slice(1)}.`,
    flags: MODELS_FLAGS.filter((flag) => takesFlag(action, longName(flag))).map(ofAction),
  })
}

/** `pull: hash what is there`: which action a flag is of need not be said on that action's page. */
function ofAction(flag: Flag): Flag {
  return { ...flag, help: flag.help.replace(/^[a-z, ]+: /, '') }
}

function actionsHelp(): string {
  return commandHelp({
    usage: 'spout models <action> [model...]',
    summary: 'Manages the models in the Hugging Face cache, which Python and other programs share.',
    flags: MODELS_FLAGS,
    more: [
      section(
        'Actions',
        Object.entries(MODELS_ACTIONS).map(([name, { summary }]) => [name, summary]),
      ),
    ],
  })
}

export async function modelsCommand(argv: readonly string[], context: Context): Promise<void> {
  const { words, options } = parseCommandLine<ModelsOptions>(argv, {
    name: 'spout models',
    flags: MODELS_FLAGS,
    help: () => modelsHelp(argv),
    words: true,
  })
  const [action = 'list', ...models] = words
  if (!isModelsAction(action)) throw unknownAction(action)
  refuseForeignFlags(action, options)
  const { stdout, interrupts } = context
  interrupts.listen()
  try {
    const io = { stdout, stderr: process.stderr, env: process.env }
    const { cacheDir, offline, how, ...rest } = settings()
    const mattering = action === 'prepare' ? rest : action === 'show' ? { dtype: rest.dtype, how } : {}
    const all = { ...mattering, cacheDir, offline, ...options }
    await modelsCommands[action](models, { ...all, signal: interrupts.signal }, io)
    await stdout.flush()
  } catch (error) {
    throw namingSettings(error, options)
  } finally {
    interrupts.release()
  }
}

/** What a prompt without flags runs with: that is what is to be prepared, and what is shown to run. */
function settings(): ModelsOptions {
  const all = withSettings({ stdin: true, newline: true })
  const { model, dtype, threads, precise, cacheDir, offline, runtime, device, prepare } = all
  return {
    model,
    dtype,
    threads,
    precise,
    cacheDir,
    offline,
    how: { threads, precise, runtime, device, prepare },
  }
}

/** A flag of another action would do nothing; whoever wrote it expects something. */
function refuseForeignFlags(action: ModelsAction, options: object): void {
  const isGiven = (flag: Flag): boolean => {
    return (options as Record<string, unknown>)[optionKey(flag)] !== undefined
  }
  const foreign = MODELS_FLAGS.find((flag) => isGiven(flag) && !takesFlag(action, longName(flag)))
  if (foreign === undefined) return
  throw new SpoutError('usage', `${longName(foreign)}: not a flag of models ${action}`, {
    hint: `spout help models ${action}`,
  })
}

function unknownAction(action: string): SpoutError {
  const similar = nearest(action, Object.keys(MODELS_ACTIONS))
  return new SpoutError('usage', `models: there is no action ${quote(action)}`, {
    hint: similar === undefined ? 'spout help models' : `spout models ${similar}`,
  })
}
