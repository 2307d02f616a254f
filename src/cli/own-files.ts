import { join } from 'node:path'
import { xdgFolder } from '../system/user-paths.ts'

/** The configuration file: `$XDG_CONFIG_HOME/spout/config.json`, else below `~/.config`. */
export function configPath(env: NodeJS.ProcessEnv = process.env): string {
  return join(xdgFolder(env, 'XDG_CONFIG_HOME', '.config'), 'spout', 'config.json')
}
