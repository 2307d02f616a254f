import { join, resolve } from 'node:path'
import { SpoutError } from '../errors.ts'
import { readRegular } from '../system/regular-file.ts'
import { type Environment, expandPath, homeFolder } from '../system/user-paths.ts'
import { isLoopback } from './reach.ts'

export type { Environment } from '../system/user-paths.ts'

// The hub's variables, with the meaning and the precedence they have in Python's huggingface_hub, so that both
// look at one cache. The environment is a parameter: nothing here reads process.env.

/** Where the models are: `--cache-dir`, else HF_HUB_CACHE, HUGGINGFACE_HUB_CACHE, HF_HOME/hub, the user's cache. */
export function cacheRoot(env: Environment, cacheDir?: string): string {
  const named = cacheDir || env.HF_HUB_CACHE || env.HUGGINGFACE_HUB_CACHE
  return resolve(named ? expandPath(named, env) : join(hubHome(env), 'hub'))
}

/** Whether the environment forbids the network. */
export function isOffline(env: Environment): boolean {
  return isTrue(env.HF_HUB_OFFLINE || env.TRANSFORMERS_OFFLINE)
}

/** The variable that forbids the network, our own among them; `undefined` where none does. */
export function offlineVariable(env: Environment): string | undefined {
  return ['HF_HUB_OFFLINE', 'TRANSFORMERS_OFFLINE', 'SPOUT_OFFLINE'].find((name) => isTrue(env[name]))
}

/** Whether files are to be copied rather than linked, as on file systems without symlinks. */
export function withoutSymlinks(env: Environment): boolean {
  return isTrue(env.HF_HUB_DISABLE_SYMLINKS)
}

const LONGEST_TOKEN = 10_000

/** A token and the name of what it came from, which may be told where the token may not. */
export interface HubToken {
  readonly value: string
  readonly source: string
}

/** The user's token: HF_TOKEN, HUGGING_FACE_HUB_TOKEN, the file HF_TOKEN_PATH, the file `token` in HF_HOME. */
export function hubToken(env: Environment): HubToken | undefined {
  if (isTrue(env.HF_HUB_DISABLE_IMPLICIT_TOKEN)) return undefined
  for (const source of ['HF_TOKEN', 'HUGGING_FACE_HUB_TOKEN']) {
    const value = cleanToken(env[source])
    if (value) return { value, source }
  }
  const path = env.HF_TOKEN_PATH ? resolve(expandPath(env.HF_TOKEN_PATH, env)) : join(hubHome(env), 'token')
  try {
    const value = cleanToken(readRegular(path, { most: LONGEST_TOKEN }).toString('utf8'))
    return value ? { value, source: env.HF_TOKEN_PATH ? 'HF_TOKEN_PATH' : 'the token file' } : undefined
  } catch {
    return undefined
  }
}

const PUBLIC_HUB = 'https://huggingface.co'

/** HF_ENDPOINT or the public hub, without a slash at the end. Throws `usage`, also where a token would go in clear. */
export function hubEndpoint(env: Environment, token: HubToken | undefined): URL {
  const endpoint = parseEndpoint(env.HF_ENDPOINT?.trim() || PUBLIC_HUB)
  if (token !== undefined && endpoint.protocol === 'http:' && !isLoopback(endpoint.hostname)) {
    throw new SpoutError('usage', 'HF_ENDPOINT: a token is not sent over http', {
      hint: `use https, or unset ${token.source}`,
    })
  }
  return endpoint
}

function parseEndpoint(text: string): URL {
  const hint = 'HF_ENDPOINT=https://host or unset it'
  if (!URL.canParse(text)) throw new SpoutError('usage', 'HF_ENDPOINT: not a URL', { hint })
  const url = new URL(text)
  if (!/^https?:$/.test(url.protocol) || url.username || url.search || url.hash) {
    throw new SpoutError('usage', 'HF_ENDPOINT: expected http(s)://host[/path]', { hint })
  }
  url.pathname = url.pathname.replace(/\/+$/, '')
  return url
}

/** HF_HOME: where the token and, by default, the cache are. */
function hubHome(env: Environment): string {
  const cache = env.XDG_CACHE_HOME || join(homeFolder(env), '.cache')
  return resolve(expandPath(env.HF_HOME || join(cache, 'huggingface'), env))
}

/** A token is one line; whatever cannot stand in a header is no token. */
function cleanToken(text: string | undefined): string | undefined {
  const token = text?.trim()
  return token && /^[\x21-\x7e]+$/.test(token) ? token : undefined
}

function isTrue(value: string | undefined): boolean {
  return /^(1|on|yes|true)$/i.test(value ?? '')
}
