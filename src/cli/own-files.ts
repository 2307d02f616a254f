/** Where this program keeps files of its own. Models are not among them: they stay in the hub's cache. */
import { homedir } from 'node:os'
import { join } from 'node:path'

/** The configuration file: `$XDG_CONFIG_HOME/spout/config.json`, else below `~/.config`. */
export function configPath(env: NodeJS.ProcessEnv = process.env): string {
  return join(env.XDG_CONFIG_HOME || join(home(env), '.config'), 'spout', 'config.json')
}

/** What can be lost without harm: `$SPOUT_CACHE_DIR`, else `$XDG_CACHE_HOME/spout`, else `~/.cache/spout`. */
export function ownCache(env: NodeJS.ProcessEnv = process.env): string {
  return env.SPOUT_CACHE_DIR || join(env.XDG_CACHE_HOME || join(home(env), '.cache'), 'spout')
}

function home(env: NodeJS.ProcessEnv): string {
  return env.HOME || homedir()
}
