import type { IncomingMessage } from 'node:http'
import { SpoutError } from '../errors.ts'
import { type Agents, createAgents, discard, exchange } from './http-exchange.ts'
import type { Environment, HubToken } from './hub-environment.ts'
import { connectionError, header } from './hub-errors.ts'
import { proxyFor } from './proxy.ts'
import { isLoopback, lookupWithin, notAllowed, REACH, type Reach, reachOf, reachOfHost } from './reach.ts'
import { type Patience, withRetries } from './retry.ts'

// Requests as a hub needs them: redirects are followed by hand, since a token must never leave the hub it is for, and
// a redirect must not lead from https to http, to a file or nearer to this machine than it came from (reach.ts).

/** A final answer. */
export interface Answer {
  readonly response: IncomingMessage
  /** Where it came from. */
  readonly url: URL
  /** The hub's headers about the file, from whichever redirect of its own carried them first. */
  readonly seen: ReadonlyMap<string, string>
}

interface RequestsOptions {
  readonly env: Environment
  readonly token: HubToken | undefined
  readonly patience: Patience
  readonly signal?: AbortSignal | undefined
  readonly onRetry?: ((message: string) => void) | undefined
}

const MOST_REDIRECTS = 10
const MOST_TEXT = 64 * 2 ** 20
/** Mirrors send questions about files on to these, which answer them; any other host is a CDN, which does not. */
const HUB_HOSTS = new Set(['huggingface.co', 'www.huggingface.co', 'hf.co'])
const FILE_HEADERS = ['x-repo-commit', 'x-linked-etag', 'x-linked-size']

export class HubRequests {
  readonly #options: RequestsOptions
  readonly #agents: Agents = createAgents()

  constructor(options: RequestsOptions) {
    this.#options = options
  }

  /** Asks about a file: redirects to another host are not followed, the hub has said all it knows. */
  async head(url: URL): Promise<Answer> {
    const answer = await this.#follow(url, {
      method: 'HEAD',
      headers: {},
      idleMs: this.#options.patience.answerMs,
    })
    // Without a body there is still an end, and until it is read the connection serves nobody else.
    answer.response.resume()
    return answer
  }

  /** Asks for a file from byte `offset` on, or for an answer of the API where no offset is named. */
  get(url: URL, offset?: number): Promise<Answer> {
    const { stallMs, answerMs } = this.#options.patience
    const headers: Record<string, string> = offset ? { range: `bytes=${offset}-` } : {}
    return this.#follow(url, { method: 'GET', headers, idleMs: offset === undefined ? answerMs : stallMs })
  }

  /** The body of an answer as text. */
  async text(response: IncomingMessage): Promise<string> {
    refuseEncoding(response)
    const chunks: Buffer[] = []
    let size = 0
    try {
      for await (const chunk of response as AsyncIterable<Buffer>) {
        size += chunk.length
        if (size > MOST_TEXT) throw new SpoutError('protocol', 'hub: an answer without end')
        chunks.push(chunk)
      }
    } catch (error) {
      if (error instanceof SpoutError) throw error
      this.#options.signal?.throwIfAborted()
      throw connectionError(error, new URL('http://hub'))
    }
    return Buffer.concat(chunks).toString('utf8')
  }

  retried<T>(act: () => Promise<T>): Promise<T> {
    const { patience, signal, onRetry } = this.#options
    return withRetries(act, { patience, signal, onRetry })
  }

  close(): void {
    this.#agents.close()
  }

  async #follow(start: URL, request: Omit<Request, 'authorized' | 'most'>): Promise<Answer> {
    const seen = new Map<string, string>()
    const visited = new Set<string>()
    let url = start
    let authorized = true
    let most: Reach = REACH.never
    while (visited.size <= MOST_REDIRECTS) {
      visited.add(url.href)
      const response = await this.#send(url, { ...request, authorized, most })
      if (authorized) note(response, seen)
      const reach = this.#reachOf(response, url)
      const next = redirectOf(response, url, reach)
      const away = next !== undefined && next.origin !== url.origin
      const beyond = away && request.method === 'HEAD' && !HUB_HOSTS.has(next.hostname)
      if (next === undefined || beyond) return { response, url, seen }
      discard(response)
      if (visited.has(next.href)) break
      // Once away it stays so: a place that is not the hub may well send on within itself.
      authorized &&= !away
      most = reach
      url = next
    }
    throw new SpoutError('protocol', `hub: ${start.host} redirects without end`)
  }

  /** How near an answer came from: through a proxy nobody knows but by what the URL says. */
  #reachOf(response: IncomingMessage, url: URL): Reach {
    const address = response.socket.remoteAddress
    const direct = address !== undefined && proxyFor(url, this.#options.env) === undefined
    return direct ? reachOf(address) : reachOfHost(url.hostname)
  }

  async #send(url: URL, { method, headers, idleMs, authorized, most }: Request): Promise<IncomingMessage> {
    const { env, token, signal } = this.#options
    const proxy = proxyFor(url, env)
    const inClear = url.protocol === 'http:' && !isLoopback(url.hostname)
    const authorization = authorized && token && !inClear ? { authorization: `Bearer ${token.value}` } : {}
    const all = { ...headers, ...authorization, 'accept-encoding': 'identity', 'user-agent': 'spout' }
    try {
      const lookup = most === REACH.never ? undefined : lookupWithin(most)
      return await exchange(url, {
        method,
        headers: all,
        idleMs,
        agents: this.#agents,
        proxy,
        signal,
        lookup,
      })
    } catch (error) {
      signal?.throwIfAborted()
      if (error instanceof SpoutError) throw error
      throw connectionError(error, url, proxy)
    }
  }
}

interface Request {
  readonly method: 'GET' | 'HEAD'
  readonly headers: Readonly<Record<string, string>>
  readonly idleMs: number
  /** Whether the token may go with it. */
  readonly authorized: boolean
  /** How near the host may be. */
  readonly most: Reach
}

/** Throws `protocol` where a body is packed although that was declined: its length would not be the file's. */
export function refuseEncoding(response: IncomingMessage): void {
  const encoding = header(response, 'content-encoding') ?? 'identity'
  if (encoding === 'identity') return
  response.destroy()
  throw new SpoutError('protocol', 'hub: it answers with a compressed body although none was accepted', {
    hint: 'a proxy or mirror in between is at fault',
  })
}

function note(response: IncomingMessage, seen: Map<string, string>): void {
  for (const name of FILE_HEADERS) {
    const value = header(response, name)
    if (value !== undefined && !seen.has(name)) seen.set(name, value)
  }
}

/** Where a response redirects to, if it does. Throws `protocol` for a place nothing may be fetched from. */
function redirectOf(response: IncomingMessage, from: URL, reach: Reach): URL | undefined {
  const location = header(response, 'location')
  if (![301, 302, 303, 307, 308].includes(response.statusCode ?? 0) || location === undefined)
    return undefined
  const to = URL.canParse(location, from.href) ? new URL(location, from) : undefined
  if (to !== undefined && isAllowed(to, from, reach)) return to
  response.destroy()
  throw notAllowed(to?.host ?? 'no URL')
}

function isAllowed(to: URL, from: URL, reach: Reach): boolean {
  if (!/^https?:$/.test(to.protocol) || to.username) return false
  if (from.protocol === 'https:' && to.protocol === 'http:') return false
  // A name is looked at when it is resolved: `localhost` may be one of a network behind a proxy.
  const near = reachOfHost(to.hostname)
  return near !== REACH.never && near <= reach
}
