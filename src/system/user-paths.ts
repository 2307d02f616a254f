/** Paths that users write into variables, where no shell expands them. */
import { userInfo } from 'node:os'
import { isAbsolute, join } from 'node:path'

export type Environment = Readonly<Record<string, string | undefined>>

/** `~` and `$NAME`, which shells leave alone in many places where people write variables. */
export function expandPath(path: string, env: Environment): string {
  const full = path === '~' || path.startsWith('~/') ? join(homeFolder(env), path.slice(1)) : path
  return full.replace(/\$(?:\{(\w+)\}|(\w+))/g, (all, braced, plain) => env[braced ?? plain] ?? all)
}

/** The user's folder: HOME, else what the system knows. A HOME that is not absolute means another folder everywhere. */
export function homeFolder(env: Environment): string {
  return env.HOME && isAbsolute(env.HOME) ? env.HOME : systemHome()
}

function systemHome(): string {
  try {
    return userInfo().homedir
  } catch {
    return '/nonexistent' // A container's user whom no list of users has.
  }
}

/** A folder of the user's by the rules of XDG: relative ones are ignored. @param below the home, where it is not set. */
export function xdgFolder(env: Environment, variable: string, below: string): string {
  const named = env[variable]
  return named && isAbsolute(named) ? named : join(homeFolder(env), below)
}
