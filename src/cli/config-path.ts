import { join } from 'node:path'
import { expandPath, xdgFolder } from '../system/user-paths.ts'

/** A path that no shell has seen: `~` at its beginning is the home folder. */
export function withHome(path: string, env: NodeJS.ProcessEnv = process.env): string {
  return path.replace(/^~(?=\/|$)/, () => expandPath('~', env))
}

/** The configuration file: `$XDG_CONFIG_HOME/spout/config.json`, else below `~/.config`. */
export function configPath(env: NodeJS.ProcessEnv = process.env): string {
  return join(xdgFolder(env, 'XDG_CONFIG_HOME', '.config'), 'spout', 'config.json')
}
