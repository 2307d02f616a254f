/** What a call ends with that is not answered: a status, and OpenAI's error object. */

import type { SpoutError } from '../errors.ts'
import { judged } from '../openai/answer.ts'
import { RequestError } from '../openai/request-error.ts'

interface ApiErrorOptions {
  readonly code: string
  /** The field at fault. */
  readonly param?: string | undefined
  readonly headers?: Readonly<Record<string, string>>
  readonly cause?: unknown
}

export class ApiError extends Error {
  override readonly name = 'ApiError'
  readonly status: number
  readonly code: string
  readonly param: string | undefined
  readonly headers: Readonly<Record<string, string>>

  constructor(status: number, message: string, { code, param, headers = {}, cause }: ApiErrorOptions) {
    super(message, cause === undefined ? undefined : { cause })
    this.status = status
    this.code = code
    this.param = param
    this.headers = headers
  }

  /** The body of the response, or of an event. */
  get body(): object {
    const { message, code, param = null } = this
    return { error: { message, type: typeOf(this.status), param, code } }
  }
}

function typeOf(status: number): string {
  if (status >= 500) return 'server_error'
  if (status === 401) return 'authentication_error'
  if (status === 403) return 'permission_error'
  return status === 429 ? 'rate_limit_error' : 'invalid_request_error'
}

/** Seconds after which whoever found no memory may ask again. */
const MEMORY_RETRY_S = 5

/**
 * What any failure is to the client: its own fault where it is that, with the field at fault.
 * @param asSpoutError tells what nobody foresaw as an error of ours
 */
export function apiErrorOf(cause: unknown, asSpoutError: (cause: unknown) => SpoutError): ApiError {
  if (cause instanceof ApiError) return cause
  const found = cause instanceof RequestError ? cause : judged(asSpoutError(cause))
  if (found instanceof RequestError) {
    const { code, param, message, type } = found
    return new ApiError(type === 'server_error' ? 500 : 400, message, { code, param, cause })
  }
  const { code, message } = found as SpoutError
  if (code === 'os' || code === 'try-later') {
    return new ApiError(503, message, { code, cause, headers: { 'retry-after': String(MEMORY_RETRY_S) } })
  }
  return new ApiError(500, message, { code: code.replaceAll('-', '_'), cause })
}

/** The server ends: whoever asks again finds another, or this one started anew. */
export function closing(): ApiError {
  return new ApiError(503, 'the server is shutting down', {
    code: 'shutting_down',
    headers: { 'retry-after': '10' },
  })
}
