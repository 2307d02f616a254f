/** Chooses the binding that runs sessions: the C API where it can be opened, else onnxruntime-node's own. */
import { SpoutError } from '../errors.ts'
import type { Runtime } from './runtime.ts'

export const RUNTIMES = ['auto', 'c-api', 'node'] as const
export type RuntimeChoice = (typeof RUNTIMES)[number]

/**
 * @param note receives one line when `auto` had to fall back.
 * @throws SpoutError `os` when the runtime asked for cannot be opened here.
 */
export async function openRuntime(choice: RuntimeChoice, note?: (line: string) => void): Promise<Runtime> {
  if (choice !== 'node') {
    try {
      const { openCApiRuntime } = await import('./c-session.ts')
      return openCApiRuntime()
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause)
      if (choice === 'c-api') {
        throw new SpoutError('os', `runtime c-api: cannot be opened here: ${why}`, {
          hint: '--runtime node',
          cause,
        })
      }
      note?.(`runtime: the C API cannot be opened (${why}); using onnxruntime-node`)
    }
  }
  const { openNodeRuntime } = await import('./node-binding.ts')
  return openNodeRuntime()
}
