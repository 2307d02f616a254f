import { homedir } from 'node:os'
import { join } from 'node:path'

/** The configuration file: `$XDG_CONFIG_HOME/spout/config.json`, else below `~/.config`. */
export function configPath(env: NodeJS.ProcessEnv = process.env): string {
  return join(env.XDG_CONFIG_HOME || join(env.HOME || homedir(), '.config'), 'spout', 'config.json')
}
