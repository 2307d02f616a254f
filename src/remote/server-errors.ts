/** What went wrong between us and a server, in one line, with the code that says whether to try again. */
import type { IncomingMessage } from 'node:http'
import { SpoutError } from '../errors.ts'
import { connectionFault, retryAfter, TransientError, until } from '../hub/hub-errors.ts'
import { oneLine } from '../system/text-display.ts'
import { Fault, ToldError } from './fault.ts'

/** Where it went wrong. */
export interface Place {
  /** The server's origin. */
  readonly origin: string
  /** Is never repeated, whatever a server says of it. */
  readonly key: string | undefined
  readonly hasProxy: boolean
}

const MOST_TOLD = 300
const AGAIN = 'run it again, later'

/** The error for a status that is no answer. @param told what the body says of it, if anything */
export function statusError(
  response: IncomingMessage,
  told: ToldError | undefined,
  place: Place,
): SpoutError | TransientError {
  const status = response.statusCode ?? 0
  return errorOf(status, { told, place, waitMs: retryAfter(response) })
}

/** The error that stands where an answer, or a part of it, was to be. */
function toldErrorOf(told: ToldError, place: Place): SpoutError | TransientError {
  return errorOf(statusOf(told), { told, place, waitMs: undefined })
}

interface Circumstances {
  readonly told: ToldError | undefined
  readonly place: Place
  readonly waitMs: number | undefined
}

function errorOf(status: number, { told, place, waitMs }: Circumstances): SpoutError | TransientError {
  const said = told === undefined ? '' : saidText(told, place.key)
  const what = `engine: ${place.origin}: `
  const answered = `${what}it answers ${status}${said}`
  if (status === 429 || status === 503) {
    const when = waitMs === undefined ? AGAIN : `run it again after ${until(waitMs)}`
    const why = status === 429 ? 'it limits the rate of requests' : 'it is busy, or not ready'
    return new TransientError(new SpoutError('try-later', `${what}${why}${said}`, { hint: when }), { waitMs })
  }
  if (status === 500)
    return new TransientError(new SpoutError('failed', `${what}it failed (500)${said}`), { waitMs })
  if (PASSING.has(status) || status > 500)
    return new TransientError(new SpoutError('try-later', answered, { hint: AGAIN }), { waitMs })
  if (status === 401 || status === 403)
    return new SpoutError('permission', answered, { hint: keyHint(place) })
  if (status === 404) return notFound(answered, told)
  if (told !== undefined && isTooLong(told))
    return new SpoutError('data', `${what}longer than its context${said}`)
  if (status === 400 || status === 413 || status === 422)
    return new SpoutError('usage', `${what}it refuses the request${said}`)
  return new SpoutError('protocol', answered, { hint: 'is it the address of an OpenAI-compatible server' })
}

/** Timeout, conflict, too early; what passes, as clients of OpenAI's see it. */
const PASSING = new Set([408, 409, 425])

function keyHint({ key }: Place): string {
  return key === undefined
    ? 'no key was sent; SPOUT_ENGINE_KEY or --engine-key-file has one'
    : 'the key was sent; is it the right one'
}

function notFound(answered: string, told: ToldError | undefined): SpoutError {
  const isModel = told !== undefined && /model/i.test(`${told.code} ${told.message}`)
  const hint = isModel
    ? '-m names a model that it serves'
    : 'the address ends where /chat/completions is put behind it, mostly with /v1'
  return new SpoutError('not-found', answered, { hint })
}

function isTooLong({ code, message }: ToldError): boolean {
  if (code === 'context_length_exceeded' || code === 'exceed_context_size_error') return true
  return /context (length|size|window)|(maximum|max).{0,20}(context|tokens|length)|too long/i.test(message)
}

/** An error in the middle of a stream has no status: its code says what it would have been. */
function statusOf({ code, message }: ToldError): number {
  if (/^[45]\d\d$/.test(code)) return Number(code)
  const all = `${code} ${message}`
  if (/rate.?limit|too many requests/i.test(all)) return 429
  if (/overload|unavailable|shutting.?down|out.of.memory|\bos\b/i.test(all)) return 503
  if (/context_length|invalid_request|invalid_value|unsupported/i.test(code)) return 400
  if (/authentication|invalid_api_key/i.test(code)) return 401
  return 500
}

function saidText({ message, code }: ToldError, key: string | undefined): string {
  const text = message || code
  if (text === '') return ''
  const safe = key === undefined ? text : text.replaceAll(key, '[the key]')
  return `: ${oneLine(safe, MOST_TOLD)}`
}

/**
 * The error for whatever was thrown while a server was asked or listened to.
 * @param isBegun a part of its answer had come
 */
export function askingError(error: unknown, place: Place, isBegun: boolean): SpoutError | TransientError {
  if (error instanceof SpoutError || error instanceof TransientError) return error
  if (error instanceof ToldError) return toldErrorOf(error, place)
  if (error instanceof Fault) return faultError(error, place)
  const { code, reason, hopeless } = connectionFault(error)
  const what = `engine: ${place.origin}: `
  if (isBegun) {
    const how = code === 'ETIMEDOUT' ? 'it stalled' : 'it was cut'
    const text = `${what}the answer is not whole: ${how} (${reason})`
    return new TransientError(new SpoutError('try-later', text, { hint: 'run it again', cause: error }))
  }
  const through = place.hasProxy ? ' (through a proxy)' : ''
  const final = new SpoutError('unavailable', `${what}${reason}${through}`, {
    hint: 'is it started, and is that its address',
    cause: error,
  })
  return new TransientError(final, { hopeless })
}

/** It may have been an accident on the way: whoever has shown nothing yet may ask again. */
function faultError(fault: Fault, { origin, key }: Place): TransientError {
  const said = key === undefined ? fault.message : fault.message.replaceAll(key, '[the key]')
  const text = `engine: ${origin}: the server sent ${said}`
  const hint = 'is it the address of an OpenAI-compatible server'
  return new TransientError(new SpoutError('protocol', text, { hint, cause: fault }))
}
