import { homedir } from 'node:os'
import { join, resolve } from 'node:path'

// The hub's variables, with the meaning and the precedence they have in Python's huggingface_hub, so that both
// look at one cache. The environment is a parameter: nothing here reads process.env.

export type Environment = Readonly<Record<string, string | undefined>>

/** Where the models are: `--cache-dir`, else HF_HUB_CACHE, HUGGINGFACE_HUB_CACHE, HF_HOME/hub, the user's cache. */
export function cacheRoot(env: Environment, cacheDir?: string): string {
  const named = cacheDir || env.HF_HUB_CACHE || env.HUGGINGFACE_HUB_CACHE
  return resolve(!named ? join(hubHome(env), 'hub') : expand(named, env))
}

/** HF_HOME: where the token and, by default, the cache are. */
export function hubHome(env: Environment): string {
  const cache = env.XDG_CACHE_HOME || join(home(env), '.cache')
  return resolve(expand(env.HF_HOME || join(cache, 'huggingface'), env))
}

/** Whether the environment forbids the network. */
export function isOffline(env: Environment): boolean {
  return isTrue(env.HF_HUB_OFFLINE || env.TRANSFORMERS_OFFLINE)
}

function isTrue(value: string | undefined): boolean {
  return /^(1|on|yes|true)$/i.test(value ?? '')
}

/** `~` and `$NAME`, which shells leave alone in many places where people write these variables. */
function expand(path: string, env: Environment): string {
  const full = path === '~' || path.startsWith('~/') ? join(home(env), path.slice(1)) : path
  return full.replace(/\$(?:\{(\w+)\}|(\w+))/g, (all, braced, plain) => env[braced ?? plain] ?? all)
}

function home(env: Environment): string {
  return env.HOME || homedir()
}
