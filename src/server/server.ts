/** The server: calls in, each guarded, bounded, counted and answered; and its end. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import type { SpoutError } from '../errors.ts'
import type { BodyKind } from '../openai/settings.ts'
import { answerCall, type Service } from './answer-call.ts'
import type { Usage } from './answer-shapes.ts'
import { ApiError, apiErrorOf, closing } from './api-error.ts'
import { discard, refuseUnreadable } from './connections.ts'
import { gaugesOf } from './gauges.ts'
import { Guard, type GuardOptions } from './guard.ts'
import { Metrics } from './metrics.ts'
import { Bodies } from './read-body.ts'
import { type CallDefaults, readCall } from './read-call.ts'
import { ClientGone, Reply, type ReplyOptions } from './reply.ts'
import { findRoute, preflight, type Route, wrongMethod } from './routes.ts'
import { type ServedModel, Shelf } from './shelf.ts'
import { type LineLimits, WaitingLine } from './waiting-line.ts'

export interface ServerOptions {
  readonly models: readonly ServedModel[]
  /** Models that may be loaded at once. */
  readonly keep: number
  readonly guard: GuardOptions
  readonly line: LineLimits
  readonly reply: ReplyOptions
  /** Most time, in ms, for the headers of a request, and for all of it. */
  readonly requestMs: { readonly headers: number; readonly all: number }
  readonly mostConnections: number
  readonly defaults: CallDefaults
  readonly think: Service['think']
  /** What any failure is, told as an error of ours. */
  readonly asSpoutError: (cause: unknown) => SpoutError
  /** Told of each request when it has ended. Never of what was asked or answered. */
  readonly onEnd?: ((ended: EndedRequest) => void) | undefined
  /** Told of failures that are no client's. */
  readonly onFailure?: ((error: ApiError) => void) | undefined
}

export interface EndedRequest {
  readonly method: string
  readonly route: string
  /** 499: the client went away. */
  readonly status: number
  readonly ms: number
  readonly tokens?: { readonly prompt: number; readonly completion: number }
}

/** Where to listen: a port of an address, or a socket that somebody else has opened. */
export type ListenAt = { readonly host: string; readonly port: number } | { readonly fd: number }

/** As nginx calls it. */
const CLIENT_GONE = 499
/** Between two looks for requests that take too long, in ms. */
const LOOK_MS = 1000
/** How long a connection without a request stays open. */
const KEEP_ALIVE_MS = 15_000
const MOST_HEADER_BYTES = 16 << 10

/** What is found out of a request on its way. */
interface Seen {
  readonly cameAt: number
  route: string
  isGone?: boolean
  /** The status it failed with; events may have begun by then. */
  failed?: number
  usage?: Usage
}

interface Generating {
  readonly kind: BodyKind
  /** Which of the keys it came with. */
  readonly key: number | undefined
  readonly seen: Seen
}

export class ApiServer {
  readonly shelf: Shelf
  readonly #options: ServerOptions
  readonly #server: Server
  readonly #guard: Guard
  readonly #line: WaitingLine
  readonly #metrics = new Metrics()
  readonly #bodies = new Bodies()
  readonly #live = new Set<Reply>()
  /** The last of each connection. */
  readonly #responses = new WeakMap<Duplex, ServerResponse>()
  readonly #startedAt = Math.floor(Date.now() / 1000)
  #isDraining = false
  #idle: (() => void) | undefined

  constructor(options: ServerOptions) {
    this.#options = options
    this.shelf = new Shelf(options.models, options.keep)
    this.#guard = new Guard(options.guard)
    this.#line = new WaitingLine(options.line)
    const { headers, all } = options.requestMs
    this.#server = createServer(
      {
        headersTimeout: headers,
        requestTimeout: all,
        connectionsCheckingInterval: Math.min(LOOK_MS, headers),
        keepAliveTimeout: KEEP_ALIVE_MS,
        maxHeaderSize: MOST_HEADER_BYTES,
      },
      (request, response) => void this.#handle(request, response),
    )
    this.#server.maxConnections = options.mostConnections
    this.#server.on('checkContinue', (request, response) => void this.#handle(request, response))
    this.#server.on('clientError', (error, socket) => {
      const response = this.#responses.get(socket)
      refuseUnreadable(error, socket, response)
    })
  }

  /** @throws the system's error: the port is taken, the address is not this machine's */
  listen(at: ListenAt): Promise<string | AddressInfo> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen(at, () => {
        this.#server.off('error', reject)
        resolve(this.#server.address()!)
      })
    })
  }

  /** Takes no new work and refuses what waits; what runs has `graceMs` to end, and is then ended with an error. */
  async drain(graceMs: number): Promise<void> {
    this.#isDraining = true
    this.#line.close()
    const timer = setTimeout(() => this.#abortAll(), graceMs)
    if (this.#live.size > 0) {
      await new Promise<void>((resolve) => {
        this.#idle = resolve
      })
    }
    clearTimeout(timer)
    await this.close()
  }

  /** Ends what runs, and disposes the engines. */
  async close(): Promise<void> {
    this.#isDraining = true
    this.#line.close()
    this.#abortAll()
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()))
    this.#server.closeIdleConnections()
    await this.shelf.close()
    this.#server.closeAllConnections()
    await closed
  }

  #abortAll(): void {
    for (const reply of this.#live) reply.abort(closing())
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const cameAt = performance.now()
    this.#responses.set(request.socket, response)
    const reply = new Reply(response, this.#options.reply)
    this.#live.add(reply)
    const seen: Seen = { cameAt, route: 'none' }
    try {
      await this.#answer(request, reply, seen)
    } catch (cause) {
      await this.#fail(cause, request, reply, seen)
    } finally {
      this.#live.delete(reply)
      if (this.#live.size === 0) this.#idle?.()
      this.#noteEnd(request, reply, seen)
    }
  }

  async #answer(request: IncomingMessage, reply: Reply, seen: Seen): Promise<void> {
    this.#guard.checkHost(request)
    reply.addHeaders(this.#guard.checkOrigin(request))
    const { method = '' } = request
    const route = findRoute(request.url ?? '')
    seen.route = route.name
    if (method === 'OPTIONS') return reply.text(204, '', preflight(route))
    // Whether it is there is no secret.
    const key = route.name === '/health' ? undefined : this.#guard.checkKey(request)
    if (!route.methods.includes(method === 'HEAD' ? 'GET' : method)) throw wrongMethod(route)
    if (route.kind !== undefined) return this.#generate(request, reply, { kind: route.kind, key, seen })
    await this.#tell(route, reply)
  }

  async #generate(request: IncomingMessage, reply: Reply, { kind, key, seen }: Generating): Promise<void> {
    if (this.#isDraining) throw closing()
    const { body, release } = await this.#bodies.read(request, () => reply.goOn())
    try {
      const call = readCall(kind, body, this.#options.defaults)
      const caller = {
        ...{ reply, cameAt: seen.cameAt },
        client: `${key ?? ''} ${request.socket.remoteAddress ?? ''}`,
        owner: this.#options.guard.keys.length > 1 ? String(key) : undefined,
      }
      const service = {
        shelf: this.shelf,
        line: this.#line,
        metrics: this.#metrics,
        think: this.#options.think,
      }
      seen.usage = await answerCall(call, caller, service)
    } finally {
      release()
    }
  }

  async #tell(route: Route, reply: Reply): Promise<void> {
    const { shelf } = this
    if (route.name === '/health') {
      const [status, word] = this.#isDraining ? [503, 'shutting down'] : [200, 'ok']
      return reply.json(status, { status: word })
    }
    if (route.name === '/metrics') {
      const text = this.#metrics.text(await gaugesOf(shelf, this.#line))
      return reply.text(200, text, { 'content-type': 'text/plain; version=0.0.4' })
    }
    if (route.name === '/v1/embeddings') throw noEmbeddings()
    const entry = ({ name }: ServedModel): object => modelObject(name, this.#startedAt)
    if (route.tail !== undefined) return reply.json(200, entry(shelf.find(route.tail)))
    return reply.json(200, { object: 'list', data: shelf.models.map(entry) })
  }

  async #fail(cause: unknown, request: IncomingMessage, reply: Reply, seen: Seen): Promise<void> {
    if (cause instanceof ClientGone) {
      seen.isGone = true
      this.#metrics.cancelled++
      return
    }
    const error = apiErrorOf(cause, this.#options.asSpoutError)
    if (error.status >= 500) this.#options.onFailure?.(error)
    seen.failed = error.status
    await reply.error(error)
    // What still comes of the request is read away, for a while: a client that writes on would not see the answer.
    if (!request.complete) discard(request)
  }

  #noteEnd(
    { method = '' }: IncomingMessage,
    reply: Reply,
    { route, cameAt, isGone, failed, usage }: Seen,
  ): void {
    const status = isGone ? CLIENT_GONE : (failed ?? reply.status)
    this.#metrics.countRequest(route, status)
    const tokens = usage && { prompt: usage.promptTokens, completion: usage.completionTokens }
    this.#options.onEnd?.({
      method,
      route,
      status,
      ms: performance.now() - cameAt,
      ...(tokens && { tokens }),
    })
  }
}

/** One of the list of models. @param created seconds since 1970 */
function modelObject(name: string, created: number): object {
  const owner = /^([^/]+)\/[^/]+$/.exec(name)?.[1] ?? 'local'
  return { id: name, object: 'model', created, owned_by: owner }
}

function noEmbeddings(): ApiError {
  const why = 'the models here write text, and their graphs give no embeddings'
  return new ApiError(400, `embeddings: not supported; ${why}`, { code: 'unsupported_endpoint' })
}
