/** The engine of the flags, where it is a server's. Nothing of what runs a model here is loaded. */
import type { Engine } from '../../engine/engine.ts'
import { SpoutError } from '../../errors.ts'
import type { Context } from '../context.ts'
import type { Options } from '../options.ts'
import { readKeys } from '../serve/keys.ts'
import { writeLine } from '../terminal/messages.ts'
import { serversOf } from './engine-flags.ts'

interface RemoteUse {
  /** Requests at once. */
  readonly parallel: number
  /** Answers are read when they are whole. */
  readonly whole: boolean
  /** Log-probabilities are needed. */
  readonly scores?: boolean
}

const NAMES = { variable: 'SPOUT_ENGINE_KEY', flag: 'engine-key-file' }

/** @throws SpoutError `usage` before anything is sent; what keeps the servers from being asked */
export async function openServers(
  options: Options,
  { interrupts }: Context,
  { parallel, whole, scores = false }: RemoteUse,
): Promise<Engine> {
  const { keys, note } = readKeys(options.engineKeyFile, process.env, NAMES)
  if (keys.length > 1)
    throw new SpoutError('usage', 'engine-key-file: there is more than one key in it', {
      hint: 'a line that begins with # is none',
    })
  if (note !== undefined && !options.quiet) writeLine(note)
  const { openRemote } = await import('../../remote/open-remote.ts')
  const engine = await openRemote({
    servers: serversOf(options),
    model: options.model,
    key: keys[0],
    env: process.env,
    ...{ parallel, whole },
    signal: interrupts.signal,
    note(text) {
      if (!options.quiet) writeLine(text)
    },
  })
  if (scores) await engine.checkLogprobs(interrupts.signal)
  return engine
}
