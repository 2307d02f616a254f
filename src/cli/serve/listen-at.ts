/** Where a server listens: an address that is checked before anything is opened, or a socket that systemd hands over. */
import { lookup } from 'node:dns/promises'
import type { AddressInfo } from 'node:net'
import { SpoutError } from '../../errors.ts'
import { isLoopback } from '../../server/guard.ts'
import type { ListenAt } from '../../server/server.ts'
import type { ServeOptions } from '../serve-flags.ts'

const DEFAULT_HOST = '127.0.0.1'
const DEFAULT_PORT = 8080
/** The first that systemd hands over: sd_listen_fds(3). */
const FIRST_FD = 3

/** @throws SpoutError `usage` for a name that is none, for an address that others can reach while there is no key, for two sockets */
export async function listenAt({ host, port }: ServeOptions, hasKeys: boolean): Promise<ListenAt> {
  const { LISTEN_FDS: count, LISTEN_PID: pid } = process.env
  if (count !== undefined && pid === String(process.pid)) {
    if (count !== '1') throw new SpoutError('usage', `listen: ${count} sockets are handed over, not one`)
    return { fd: FIRST_FD }
  }
  const name = host ?? DEFAULT_HOST
  const { address } = await lookup(name).catch((cause: unknown) => {
    throw new SpoutError('usage', `host: there is no address for ${name}`, { cause })
  })
  if (!isLoopback(address) && !hasKeys) throw needsKey(address)
  return { host: address, port: port ?? DEFAULT_PORT }
}

/** A socket that was handed over may be anywhere. @throws SpoutError `usage` */
export function checkHandedOver(address: string | AddressInfo, hasKeys: boolean): void {
  if (typeof address === 'string' || isLoopback(address.address) || hasKeys) return
  throw needsKey(address.address)
}

function needsKey(address: string): SpoutError {
  return new SpoutError('usage', `host: others can reach ${address}, and there is no key`, {
    hint: '--key-file FILE with a key on a line, or SPOUT_API_KEY',
  })
}

/** Why listening failed, as an error of ours. */
export function listenError(cause: unknown): unknown {
  const { code, port, address } = cause as NodeJS.ErrnoException & { port?: number; address?: string }
  if (code === 'EADDRINUSE') {
    return new SpoutError('usage', `port: ${port} of ${address} is in use`, {
      hint: '--port 0 takes a free one',
      cause,
    })
  }
  if (code === 'EACCES') {
    return new SpoutError('usage', `port: ${port} may not be taken`, { hint: 'one from 1024 on', cause })
  }
  if (code === 'EADDRNOTAVAIL') {
    return new SpoutError('usage', `host: ${address} is no address of this machine`, { cause })
  }
  return cause
}

/** As a client writes it. */
export function urlOf(address: string | AddressInfo): string {
  if (typeof address === 'string') return `unix:${address}`
  const { address: host, port, family } = address
  return `http://${family === 'IPv6' ? `[${host}]` : host}:${port}`
}
