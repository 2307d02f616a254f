import http, { type Agent, type ClientRequest, type IncomingMessage } from 'node:http'
import https from 'node:https'
import type { LookupFunction, Socket } from 'node:net'
import tls from 'node:tls'

// One request and the head of its answer. Node's http client rather than fetch: fetch unpacks compressed bodies
// nobody asked for, calls a body cut short complete where its end is the connection's, and knows no proxy.

interface ExchangeOptions {
  readonly method: 'GET' | 'HEAD' | 'POST'
  readonly body?: string | undefined
  readonly headers: Readonly<Record<string, string>>
  /** Milliseconds without a byte, in either direction, after which the exchange is given up. */
  readonly idleMs: number
  /** Milliseconds for a connection to be made. Default: as long as the system waits. */
  readonly connectMs?: number | undefined
  readonly agents: Agents
  readonly proxy?: URL | undefined
  /** How names are resolved; not used with a proxy, which resolves them itself. */
  readonly lookup?: LookupFunction | undefined
  readonly signal?: AbortSignal | undefined
}

/** Connections kept for the next request. Whoever creates them closes them. */
export interface Agents {
  readonly http: Agent
  readonly https: https.Agent
  /** Connections through a proxy, which no agent keeps. */
  readonly tunnels: Set<Socket>
  close(): void
}

/** @param maxSockets connections to one host at once */
export function createAgents(maxSockets = 16): Agents {
  const options = { keepAlive: true, maxSockets }
  const agents = {
    http: new http.Agent(options),
    https: new https.Agent(options),
    tunnels: new Set<Socket>(),
  }
  return {
    ...agents,
    close: () => {
      agents.http.destroy()
      agents.https.destroy()
      for (const socket of agents.tunnels) socket.destroy()
    },
  }
}

/** Sends a request and answers with the response, its body unread. Rejects with Node's own errors. */
export async function exchange(url: URL, options: ExchangeOptions): Promise<IncomingMessage> {
  options.signal?.throwIfAborted()
  const request = await requestFor(url, options)
  try {
    return await answerTo(request, options)
  } catch (error) {
    // A kept connection may have been closed at the other end just now: that says nothing about the hub.
    if (!request.reusedSocket || (error as NodeJS.ErrnoException).code !== 'ECONNRESET') throw error
    return answerTo(await requestFor(url, options), options)
  }
}

/** Drops a response nobody reads: a short body is read off so that its connection can serve again. */
export function discard(response: IncomingMessage): void {
  response.on('error', () => {})
  if (Number(response.headers['content-length'] ?? Number.NaN) <= 16_384) response.resume()
  else response.destroy()
}

function answerTo(
  request: ClientRequest,
  { body, idleMs, connectMs, signal }: ExchangeOptions,
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    let response: IncomingMessage | undefined
    const stop = (error: Error) => (response ?? request).destroy(error)
    const abort = () => stop(abortError(signal))
    signal?.addEventListener('abort', abort, { once: true })
    request.once('close', () => signal?.removeEventListener('abort', abort))
    request.setTimeout(idleMs, () => stop(new StallError(idleMs)))
    if (connectMs !== undefined) limitConnecting(request, connectMs)
    request.on('error', reject)
    request.once('response', (answer) => {
      response = answer
      resolve(answer)
    })
    request.end(body)
  })
}

/** A connection that was kept is there already. */
function limitConnecting(request: ClientRequest, connectMs: number): void {
  request.once('socket', (socket) => {
    if (!socket.connecting) return
    const timer = setTimeout(() => request.destroy(new StallError(connectMs)), connectMs)
    for (const event of ['connect', 'close']) socket.once(event, () => clearTimeout(timer))
  })
}

/** Nothing was heard for a while. */
export class StallError extends Error {
  override readonly name = 'StallError'
  readonly code = 'ETIMEDOUT'
  constructor(idleMs: number) {
    super(`no byte for ${Math.round(idleMs / 1000)} s`)
  }
}

async function requestFor(url: URL, options: ExchangeOptions): Promise<ClientRequest> {
  const { method, headers, agents, proxy } = options
  const lookup = options.lookup === undefined ? {} : { lookup: options.lookup }
  if (url.protocol === 'https:') {
    if (proxy === undefined) return https.request(url, { method, headers, agent: agents.https, ...lookup })
    const socket = await tunnel(url, proxy, options)
    agents.tunnels.add(socket)
    socket.once('close', () => agents.tunnels.delete(socket))
    // Without an agent: with `agent: false` Node makes one, which connects by itself, past the proxy.
    const createConnection = () => tls.connect({ socket, servername: url.hostname })
    return https.request(url, { method, headers, createConnection })
  }
  if (proxy === undefined) return http.request(url, { method, headers, agent: agents.http, ...lookup })
  return http.request({
    ...hostOf(proxy),
    method,
    path: url.href,
    headers: { ...headers, ...credentials(proxy), host: url.host },
    agent: agents.http,
  })
}

/** A connection through `proxy` to the host of `url`, not yet encrypted. */
function tunnel(url: URL, proxy: URL, { idleMs, signal }: ExchangeOptions): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const target = `${url.hostname}:${url.port || 443}`
    const module = proxy.protocol === 'https:' ? https : http
    const request = module.request({
      ...hostOf(proxy),
      method: 'CONNECT',
      path: target,
      headers: { host: target, ...credentials(proxy) },
      agent: false,
      ...(signal ? { signal } : {}),
    })
    request.setTimeout(idleMs, () => request.destroy(new StallError(idleMs)))
    request.once('connect', (response, socket) => {
      if (response.statusCode === 200) return resolve(socket)
      socket.destroy()
      reject(new ProxyError(`it answered ${response.statusCode}`))
    })
    request.once('response', (response) => {
      response.destroy()
      reject(new ProxyError(`it answered ${response.statusCode}`))
    })
    request.once('error', reject)
    request.end()
  })
}

/** The proxy is there but will not serve. */
export class ProxyError extends Error {
  override readonly name = 'ProxyError'
}

function hostOf(proxy: URL) {
  return {
    protocol: proxy.protocol,
    hostname: proxy.hostname.replace(/^\[|\]$/g, ''),
    port: proxy.port || (proxy.protocol === 'https:' ? 443 : 80),
  }
}

function credentials(proxy: URL): Record<string, string> {
  if (!proxy.username) return {}
  const user = `${decodeURIComponent(proxy.username)}:${decodeURIComponent(proxy.password)}`
  return { 'proxy-authorization': `Basic ${Buffer.from(user).toString('base64')}` }
}

function abortError(signal: AbortSignal | undefined): Error {
  const reason: unknown = signal?.reason
  return reason instanceof Error ? reason : new Error('aborted')
}
