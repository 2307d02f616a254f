/** Where a key may go: encrypted anywhere, in clear to this machine and its private network, and through no proxy in clear. */
import { SpoutError } from '../errors.ts'
import { REACH, reachOfHost } from '../hub/reach.ts'

/** @throws SpoutError `usage` where it may not */
export function mayCarryKey(url: URL, proxy: URL | undefined): void {
  if (url.protocol === 'https:') return
  const reach = reachOfHost(url.hostname)
  const isNear = reach === REACH.machine || reach === REACH.network
  if (isNear && proxy === undefined) return
  const way = proxy === undefined ? 'over any network there is between' : 'through a proxy'
  throw new SpoutError('usage', `engine: the key would go to ${url.host} in clear, ${way}`, {
    hint: 'https, an address of the private network, or a tunnel to a port of this machine',
  })
}
