import { SpoutError } from '../errors.ts'
import type { Environment } from './hub-environment.ts'
import { isLoopback } from './reach.ts'

// The proxy variables, as curl and Python read them: a variable for each scheme in either case of letters, ALL_PROXY
// for both, and NO_PROXY for hosts that are reached directly. This machine always is: a token for a hub on it would else
// go to the proxy in clear.

/** The proxy for `url`, if the environment names one. Throws `unavailable`, never telling a password. */
export function proxyFor(url: URL, env: Environment): URL | undefined {
  const scheme = url.protocol.slice(0, -1)
  const name = [`${scheme}_proxy`, `${scheme.toUpperCase()}_PROXY`, 'all_proxy', 'ALL_PROXY'].find(
    (n) => env[n],
  )
  if (name === undefined || isLoopback(url.hostname) || isDirect(url, env.no_proxy || env.NO_PROXY || ''))
    return undefined
  return parseProxy(env[name]!, name)
}

function parseProxy(text: string, name: string): URL {
  const full = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`
  const hint = `${name}=http://host:port, or unset it`
  if (!URL.canParse(full)) throw new SpoutError('unavailable', `proxy: ${name} is not a URL`, { hint })
  const proxy = new URL(full)
  if (!/^https?:$/.test(proxy.protocol)) {
    throw new SpoutError('unavailable', `proxy ${proxy.host}: ${proxy.protocol}// is not supported`, { hint })
  }
  return proxy
}

function isDirect(url: URL, list: string): boolean {
  const host = url.hostname.toLowerCase()
  const port = url.port || (url.protocol === 'https:' ? '443' : '80')
  return list
    .toLowerCase()
    .split(/[\s,]+/)
    .filter(Boolean)
    .some((entry) => {
      if (entry === '*') return true
      const [, name = '', wanted] = /^\*?\.?(.*?)(?::(\d+))?$/.exec(entry)!
      return (wanted === undefined || wanted === port) && (host === name || host.endsWith(`.${name}`))
    })
}
