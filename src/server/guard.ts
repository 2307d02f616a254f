/** Who may call: by the name they call the server by, where a page comes from, and the key they have. */
import { createHash, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { ApiError } from './api-error.ts'

export interface GuardOptions {
  /** Names of this server beside loopback and the address of the connection. */
  readonly hosts: readonly string[]
  /** Origins of pages that may call; `*` is any. */
  readonly origins: readonly string[]
  /** One of them is needed, if there are some. */
  readonly keys: readonly string[]
}

export class Guard {
  readonly #hosts: ReadonlySet<string>
  readonly #origins: readonly string[]
  readonly #keys: readonly Buffer[]

  constructor({ hosts, origins, keys }: GuardOptions) {
    this.#hosts = new Set(hosts.map((host) => host.toLowerCase()))
    this.#origins = origins
    this.#keys = keys.map(digestOf)
  }

  /**
   * A page that has made its own name lead here (DNS rebinding) calls the server by that name; so the name must be one of
   * this machine's, and there must be one. @throws ApiError 403
   */
  checkHost(request: IncomingMessage): void {
    const name = hostName(request.headers.host ?? '')
    if (name !== undefined && (isLoopbackName(name) || this.#hosts.has(name))) return
    if (name !== undefined && name === addressText(request.socket.localAddress)) return
    throw new ApiError(
      403,
      'host: the Host header names no server of this name here; --allow-host allows more',
      {
        code: 'host_not_allowed',
      },
    )
  }

  /** A browser tells where a page is from. @returns the headers that let it read the answer. @throws ApiError 403 */
  checkOrigin({ headers: { origin } }: IncomingMessage): Readonly<Record<string, string>> {
    if (origin === undefined) return {}
    const allowed = this.#origins.find((each) => each === '*' || each === origin)
    if (allowed !== undefined) return { 'access-control-allow-origin': allowed, vary: 'Origin' }
    throw new ApiError(403, 'origin: pages of this origin may not call; --allow-origin allows them', {
      code: 'origin_not_allowed',
    })
  }

  /** @returns which key it is; `undefined` where none is needed. @throws ApiError 401 */
  checkKey({ headers: { authorization = '' } }: IncomingMessage): number | undefined {
    if (this.#keys.length === 0) return undefined
    const given = digestOf(/^bearer +(\S+) *$/i.exec(authorization)?.[1] ?? '')
    let found = -1
    // All are compared, each in constant time.
    for (const [i, key] of this.#keys.entries()) if (timingSafeEqual(key, given)) found = i
    if (found >= 0) return found
    const why = authorization === '' ? 'none is given' : 'it is not one of this server'
    throw new ApiError(401, `key: ${why}: Authorization: Bearer KEY`, {
      code: 'invalid_api_key',
      headers: { 'www-authenticate': 'Bearer' },
    })
  }
}

function digestOf(key: string): Buffer {
  return createHash('sha256').update(key).digest()
}

/** Without the port; an address of version 6 without its brackets. `undefined` for what is no name. */
function hostName(host: string): string | undefined {
  const [, six, name] = /^(?:\[([\da-f:.]+)\]|([^\s:/@[\]]+))(?::\d{1,5})?$/i.exec(host) ?? []
  return (six ?? name)?.toLowerCase()
}

function isLoopbackName(name: string): boolean {
  return name === 'localhost' || isLoopback(name)
}

/** Of an address, as text. */
export function isLoopback(address: string): boolean {
  return /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(addressText(address) ?? '') || address === '::1'
}

/** One of version 4 may be written as one of version 6. */
function addressText(address: string | undefined): string | undefined {
  return address?.replace(/^::ffff:/i, '').toLowerCase()
}
