/** What this program keeps of its own making: where it lies, and whether it may be believed. */
import { resolve } from 'node:path'
import { SpoutError } from '../errors.ts'
import { isOursAlone, isOutOfReach } from './folder-trust.ts'
import { type Environment, expandPath, xdgFolder } from './user-paths.ts'

export type { Environment } from './user-paths.ts'

/**
 * Where this program keeps what it makes itself: $SPOUT_CACHE_DIR, else $XDG_CACHE_HOME/spout, else ~/.cache/spout.
 * @throws SpoutError `cache` for a relative one where the working directory is gone.
 */
export function spoutCacheFolder(env: Environment): string {
  const named = env.SPOUT_CACHE_DIR
  if (!named) return resolve(xdgFolder(env, 'XDG_CACHE_HOME', '.cache'), 'spout')
  try {
    return resolve(expandPath(named, env))
  } catch (cause) {
    throw new SpoutError('cache', 'SPOUT_CACHE_DIR: the working directory it is relative to is gone', {
      hint: 'SPOUT_CACHE_DIR=/an/absolute/path',
      cause,
    })
  }
}

/**
 * The same where nobody else can have put anything into it: what is prepared there becomes machine code and answers.
 * `undefined` otherwise; `note` is told.
 */
export function trustedSpoutCache(
  env: Environment,
  note?: (text: string, level: 'info' | 'warning') => void,
): string | undefined {
  const folder = spoutCacheFolder(env)
  if (isOursAlone(folder)) return folder
  const [why, way] = isOutOfReach(folder)
    ? ['it may not be entered', 'another HOME']
    : ['others can write there', 'chmod go-w']
  note?.(`${folder}: ${why}, so nothing prepared is used; ${way}, or another SPOUT_CACHE_DIR`, 'warning')
  return undefined
}
