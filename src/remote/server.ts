/** One OpenAI-compatible server: what it is asked, over which connections, and what its answers are. */
import type { IncomingMessage } from 'node:http'
import { SpoutError } from '../errors.ts'
import { type Agents, exchange } from '../hub/http-exchange.ts'
import type { Environment } from '../hub/hub-environment.ts'
import { header, type TransientError } from '../hub/hub-errors.ts'
import { proxyFor } from '../hub/proxy.ts'
import { quote } from '../system/text-display.ts'
import { Fault, type ToldError, toldError } from './fault.ts'
import { Gate } from './gate.ts'
import { mayCarryKey } from './key-rule.ts'
import { type AnswerListener, chunksOf, documentIn, readAnswer, type WholeAnswer } from './read-answer.ts'
import type { Call } from './request-body.ts'
import { askingError, type Place, statusError } from './server-errors.ts'

/** How long it is waited, in ms. */
export interface Deadlines {
  /** For a connection. */
  readonly connectMs: number
  /** For the head of an answer: a prompt may wait its turn, and be read, before it comes. */
  readonly headMs: number
  /** Without a byte. */
  readonly stallMs: number
  /** For all of an answer. */
  readonly wholeMs: number
}

export const DEADLINES: Deadlines = {
  connectMs: 15_000,
  headMs: 600_000,
  stallMs: 120_000,
  wholeMs: 3_600_000,
}

export interface ServerParts {
  /** As `parseServers` gives it. */
  readonly base: string
  readonly key: string | undefined
  readonly env: Environment
  readonly agents: Agents
  readonly deadlines: Deadlines
  /** Requests at once. */
  readonly most: number
}

const MOST_REDIRECTS = 3
/** Of the body of an error. */
const MOST_ERROR_BYTES = 64 << 10
/** How long the rest of an answer, after its end, is read off, so that its connection can serve again. */
const REST_MS = 1_000

export class RemoteServer {
  readonly origin: string
  readonly gate: Gate
  /** Answers it has given. */
  answered = 0
  readonly #parts: ServerParts
  readonly #place: Place
  readonly #proxy: URL | undefined

  /** @throws SpoutError `usage` where a key would go in clear to somewhere it must not */
  constructor(parts: ServerParts) {
    const { base, key, env, most } = parts
    const url = new URL(base)
    this.#parts = parts
    this.origin = url.origin
    this.gate = new Gate({ most })
    this.#proxy = proxyFor(url, env)
    this.#place = { origin: this.origin, key, hasProxy: this.#proxy !== undefined }
    if (key !== undefined) mayCarryKey(url, this.#proxy)
  }

  /**
   * Asks, and hears the answer to its end.
   * @throws SpoutError, TransientError for what may be tried again; the signal's reason
   */
  async ask(call: Call, listener: AnswerListener, signal?: AbortSignal): Promise<WholeAnswer> {
    let isBegun = false
    const { kind, path, body } = call
    return this.#within(signal, async (limited) => {
      const response = await this.#send(path, { body, signal: limited })
      isBegun = true
      const { stallMs } = this.#parts.deadlines
      const whole = await readAnswer(response, { kind, stallMs }, listener).catch((error) => {
        response.destroy()
        throw error
      })
      readOff(response)
      this.answered++
      return whole
    }).catch((error) => {
      signal?.throwIfAborted()
      throw askingError(error, this.#place, isBegun)
    })
  }

  /** What `/models` lists. @throws as `ask` does */
  async models(signal?: AbortSignal): Promise<unknown> {
    return this.#within(signal, async (limited) => {
      const response = await this.#send('/models', { signal: limited })
      const text = await documentIn(chunksOf(response, this.#parts.deadlines.stallMs))
      try {
        return JSON.parse(text)
      } catch {
        throw new Fault(`no JSON: ${quote(text, 60)}`)
      }
    }).catch((error) => {
      signal?.throwIfAborted()
      throw askingError(error, this.#place, false)
    })
  }

  async #within<T>(signal: AbortSignal | undefined, act: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const { wholeMs } = this.#parts.deadlines
    const limit = new AbortController()
    const timer = setTimeout(() => limit.abort(new Overdue(wholeMs)), wholeMs)
    try {
      return await act(signal === undefined ? limit.signal : AbortSignal.any([signal, limit.signal]))
    } catch (error) {
      throw limit.signal.aborted ? limit.signal.reason : error
    } finally {
      clearTimeout(timer)
    }
  }

  /** The response, whose head says that an answer follows. */
  async #send(path: string, { body, signal }: Sending): Promise<IncomingMessage> {
    let url = new URL(this.#parts.base + path)
    for (let redirects = 0; redirects <= MOST_REDIRECTS; redirects++) {
      const response = await this.#exchange(url, body, signal)
      const next = redirectOf(response, url)
      if (next === undefined) return this.#checked(response)
      response.destroy()
      url = next
    }
    throw new SpoutError('protocol', `engine: ${this.origin}: it redirects without end`)
  }

  async #exchange(url: URL, body: Call['body'] | undefined, signal: AbortSignal): Promise<IncomingMessage> {
    const { key, agents, deadlines } = this.#parts
    const { connectMs, headMs } = deadlines
    const head = new AbortController()
    const timer = setTimeout(() => head.abort(new Overdue(headMs)), headMs)
    try {
      const response = await exchange(url, {
        method: body === undefined ? 'GET' : 'POST',
        body: body && JSON.stringify(body),
        headers: {
          ...(key !== undefined && { authorization: `Bearer ${key}` }),
          ...(body && { 'content-type': 'application/json' }),
          accept: body ? 'text/event-stream, application/json' : 'application/json',
          'accept-encoding': 'identity',
          'user-agent': 'spout',
        },
        ...{ connectMs, idleMs: headMs, agents, proxy: this.#proxy },
        signal: AbortSignal.any([signal, head.signal]),
      })
      // A reader of ours that is slow is no server that has stalled: see readAnswer.
      response.setTimeout(0)
      return response
    } finally {
      clearTimeout(timer)
    }
  }

  async #checked(response: IncomingMessage): Promise<IncomingMessage> {
    const encoding = header(response, 'content-encoding') ?? 'identity'
    if (encoding !== 'identity') {
      response.destroy()
      throw new Fault(`a body packed with ${quote(encoding, 30)}, and none was accepted`)
    }
    if (response.statusCode === 200) return response
    throw await this.#refusal(response)
  }

  async #refusal(response: IncomingMessage): Promise<SpoutError | TransientError> {
    const told = await this.#toldIn(response)
    response.destroy()
    return statusError(response, told, this.#place)
  }

  /** What the body of an error says; a page of HTML says nothing that would help. */
  async #toldIn(response: IncomingMessage): Promise<ToldError | undefined> {
    try {
      const text = await documentIn(chunksOf(response, this.#parts.deadlines.stallMs), MOST_ERROR_BYTES)
      return toldError(JSON.parse(text))
    } catch {
      return undefined
    }
  }
}

interface Sending {
  readonly body?: Call['body']
  readonly signal: AbortSignal
}

/** A deadline of ours has passed. */
class Overdue extends Error {
  override readonly name = 'Overdue'
  readonly code = 'ETIMEDOUT'

  constructor(ms: number) {
    super(`not there after ${Math.round(ms / 1000)} s`)
  }
}

/**
 * Where a response redirects to, if it does, with the same method and body.
 * @throws SpoutError `protocol` for another origin: neither a key nor a prompt is taken there
 */
function redirectOf(response: IncomingMessage, from: URL): URL | undefined {
  const status = response.statusCode ?? 0
  if (status < 300 || status > 399 || status === 304) return undefined
  response.destroy()
  const location = header(response, 'location') ?? ''
  const to = URL.canParse(location, from.href) ? new URL(location, from) : undefined
  const name = `engine: ${from.origin}`
  if (to === undefined) throw new SpoutError('protocol', `${name}: it redirects (${status}) to no address`)
  if (to.origin !== from.origin || to.username !== '') {
    throw new SpoutError('protocol', `${name}: it redirects to another origin, ${quote(to.origin, 100)}`, {
      hint: 'nothing was sent there; --engine may name it',
    })
  }
  if (status === 307 || status === 308) return to
  throw new SpoutError('protocol', `${name}: it redirects (${status}) to ${quote(to.pathname, 100)}`, {
    hint: 'put that address into --engine',
  })
}

function readOff(response: IncomingMessage): void {
  if (response.complete) return
  response.on('error', () => undefined)
  const timer = setTimeout(() => response.destroy(), REST_MS).unref()
  response.on('close', () => clearTimeout(timer))
  response.resume()
}
