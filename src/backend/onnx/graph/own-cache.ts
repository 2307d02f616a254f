import { homedir } from 'node:os'
import { join, resolve } from 'node:path'

export type Environment = Readonly<Record<string, string | undefined>>

/** Where this program keeps what it makes itself: $SPOUT_CACHE_DIR, else $XDG_CACHE_HOME/spout, else ~/.cache/spout. */
export function ownCacheFolder(env: Environment): string {
  if (env.SPOUT_CACHE_DIR) return resolve(env.SPOUT_CACHE_DIR)
  return join(env.XDG_CACHE_HOME || join(env.HOME || homedir(), '.cache'), 'spout')
}
