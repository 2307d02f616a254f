/**
 * What runs each command. It is loaded when it is named. A prompt that begins with a command's name is written after
 * `--`.
 */
import type { Context } from './context.ts'

/** Runs a command with the words after its name. */
type RunCommand = (argv: readonly string[], context: Context) => Promise<void>

const LOADERS: Readonly<Record<string, () => Promise<RunCommand>>> = {
  batch: async () => (await import('./commands/batch.ts')).batchCommand,
  chat: async () => (await import('./commands/chat.ts')).chatCommand,
  serve: async () => (await import('./commands/serve.ts')).serveCommand,
  filter: async () => (await import('./commands/filter.ts')).filterCommand,
  rank: async () => (await import('./commands/rank.ts')).rankCommand,
  score: async () => (await import('./commands/score.ts')).scoreCommand,
  models: async () => (await import('./commands/models-command.ts')).modelsCommand,
  cache: async () => (await import('./commands/cache.ts')).cacheCommand,
  worker: async () => (await import('./commands/worker.ts')).workerCommand,
  verify: async () => (await import('./commands/verify.ts')).verifyCommand,
  devices: async () => (await import('./commands/devices.ts')).devicesCommand,
  schema: async () => (await import('./commands/schema.ts')).schemaCommand,
  config: async () => (await import('./commands/config.ts')).configCommand,
  completion: async () => (await import('./commands/completion.ts')).completionCommand,
  help: async () => (await import('./commands/help.ts')).helpCommand,
}

/** True of the first word of a command line that is the name of a command. */
export function isCommand(word: string): boolean {
  return Object.hasOwn(LOADERS, word)
}

/** The command of a command line and the words that are for it. */
export async function chooseCommand(
  argv: readonly string[],
): Promise<readonly [RunCommand, readonly string[]]> {
  const [first = '', ...rest] = argv
  const [named = '', ...words] = rest
  if (first === 'help' && named !== 'help' && isCommand(named)) {
    return [await LOADERS[named]!(), [...words, '--help']]
  }
  if (isCommand(first)) return [await LOADERS[first]!(), rest]
  return [(await import('./commands/generate.ts')).generateCommand, argv]
}
