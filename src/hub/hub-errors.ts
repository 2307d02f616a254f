import type { IncomingMessage } from 'node:http'
import { SpoutError } from '../errors.ts'
import { oneLine, quote } from '../system/text-display.ts'
import { ProxyError } from './http-exchange.ts'
import type { HubToken } from './hub-environment.ts'

// What a hub's refusal means. A refusal that may pass is a TransientError, which is tried again; everything else is
// final and tells the user what to do.

/** Something that may work a little later. */
export class TransientError extends Error {
  override readonly name = 'TransientError'
  /** What to throw when there are no tries left. */
  readonly final: SpoutError
  /** How long the hub asks to wait, in milliseconds. */
  readonly waitMs: number | undefined
  /** Another try is worth it only to a download under way, which has bytes to lose: `Waits` of `retry.ts`, `stubborn`. */
  readonly hopeless: boolean

  constructor(
    final: SpoutError,
    { waitMs, hopeless = false }: { waitMs?: number | undefined; hopeless?: boolean } = {},
  ) {
    super(final.message, { cause: final })
    this.final = final
    this.waitMs = waitMs
    this.hopeless = hopeless
  }
}

/** What was asked for, as far as a message needs it. */
export interface Asked {
  readonly repo: string
  readonly revision: string
  readonly file?: string
  readonly endpoint: URL
  readonly token: HubToken | undefined
}

/** The error for an answer that is neither the thing nor a redirect, from the hub itself. */
export function refusal(response: IncomingMessage, asked: Asked): SpoutError | TransientError {
  const status = response.statusCode ?? 0
  const { repo, revision, file } = asked
  const transient = transientStatus(response, asked.endpoint)
  if (transient) return transient
  const code = header(response, 'x-error-code')
  const invalidToken = /invalid credentials/i.test(header(response, 'x-error-message') ?? '')
  if (code === 'GatedRepo') return gated(asked)
  if (code === 'RevisionNotFound') {
    return notFound(`${repo}: no revision ${quote(revision)}`, `spout models pull ${repo}`)
  }
  if (code === 'EntryNotFound') {
    return notFound(`${repo}: no file ${file ?? ''} at ${revision.slice(0, 12)}`, 'take another revision')
  }
  if ((code === 'RepoNotFound' || status === 404) && !invalidToken) {
    return notFound(`${repo}: not found on ${asked.endpoint.host}`, `check the name; ${tokenState(asked)}`)
  }
  if (status === 401 || status === 403) {
    return new SpoutError('permission', `${repo}: access denied (${status})`, { hint: tokenState(asked) })
  }
  return new SpoutError('protocol', `hub: unexpected answer ${status} for ${file ?? repo}`)
}

/** The error for a status that may pass, wherever it comes from. */
export function transientStatus(response: IncomingMessage, at: URL): TransientError | undefined {
  const status = response.statusCode ?? 0
  const waitMs = retryAfter(response)
  if (status === 429) return new TransientError(rateLimited(at, waitMs), { waitMs })
  if (status !== 408 && status < 500) return undefined
  const final = new SpoutError('unavailable', `hub: ${at.host} answers ${status}`, { hint: laterHint })
  return new TransientError(final, { waitMs })
}

const laterHint = 'try again later; what was received is kept'

/** A rate limit that outlasts our patience. */
function rateLimited(at: URL, waitMs: number | undefined): SpoutError {
  const when = waitMs === undefined ? 'later' : `after ${until(waitMs)}`
  return new SpoutError('try-later', `hub: ${at.host} limits the rate of requests`, {
    hint: `try again ${when}; a token (HF_TOKEN) raises the limit`,
  })
}

/** The time after so many milliseconds, as a text. */
export function until(waitMs: number): string {
  const seconds = Math.min(Math.ceil(waitMs / 1000), 10 * 365 * 86_400)
  return new Date(Date.now() + seconds * 1000).toISOString().replace(/\.\d+Z$/, 'Z')
}

/** The error for a connection that failed. */
export function connectionError(error: unknown, at: URL, proxy?: URL): TransientError {
  const name = proxy ? `proxy ${proxy.host}` : `hub: ${at.host}`
  const { code, reason, hopeless } = connectionFault(error)
  const final = new SpoutError('unavailable', `${name}: ${reason}`, { hint: connectHint(code), cause: error })
  return new TransientError(final, { hopeless })
}

/** What kept a connection from being made, or cut it, in words. */
export function connectionFault(error: unknown): ConnectionFault {
  const code = (error as NodeJS.ErrnoException).code ?? ''
  const reason =
    REASONS[code] ?? (isTls(code) ? `TLS: ${code}` : oneLine((error as Error).message || code, 200))
  return { code, reason, hopeless: HOPELESS.has(code) || isTls(code) || error instanceof ProxyError }
}

interface ConnectionFault {
  /** The system's, or `''`. */
  readonly code: string
  readonly reason: string
  /** It will be the same in a second. */
  readonly hopeless: boolean
}

/** Who cannot be reached now will hardly be reached in a second. */
const HOPELESS = new Set(['ENOTFOUND', 'EAI_AGAIN', 'ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH'])

const REASONS: Readonly<Record<string, string>> = {
  ENOTFOUND: 'no such host',
  EAI_AGAIN: 'the name cannot be resolved now',
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'connection reset',
  ETIMEDOUT: 'no answer',
  EHOSTUNREACH: 'no route to the host',
  ENETUNREACH: 'no network',
  EPIPE: 'connection closed',
}

function connectHint(code: string): string {
  if (isTls(code)) return 'check the clock and NODE_EXTRA_CA_CERTS'
  return 'check the network, HF_ENDPOINT and the proxy variables; cached models work with --offline'
}

function isTls(code: string): boolean {
  return /CERT|TLS|SSL|SIGNATURE|EPROTO/.test(code)
}

function gated(asked: Asked): SpoutError {
  return new SpoutError('permission', `${asked.repo}: access to this model must be granted first`, {
    hint: `ask for it at ${asked.endpoint.href.replace(/\/$/, '')}/${asked.repo}; ${tokenState(asked)}`,
  })
}

function tokenState({ token }: Asked): string {
  return token ? `the token from ${token.source} was sent` : 'no token was sent (set HF_TOKEN)'
}

function notFound(message: string, hint: string): SpoutError {
  return new SpoutError('not-found', message, { hint })
}

/** Retry-After in seconds or as a date, else the reset of a RateLimit header. */
export function retryAfter(response: IncomingMessage): number | undefined {
  const after = header(response, 'retry-after')
  if (after !== undefined && /^\d{1,12}$/.test(after)) return Number(after) * 1000
  const date = after === undefined ? Number.NaN : Date.parse(after)
  if (!Number.isNaN(date)) return Math.max(0, date - Date.now())
  const reset = /;\s*t=(\d{1,12})\b/.exec(header(response, 'ratelimit') ?? '')?.[1]
  return reset === undefined ? undefined : Number(reset) * 1000
}

/** A header's value, the first where there are several. */
export function header(response: IncomingMessage, name: string): string | undefined {
  const value = response.headers[name]
  return Array.isArray(value) ? value[0] : value
}
