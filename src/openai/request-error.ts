/** What is wrong with one request: a line of a batch, the body of a call. The others go on. */

import { SpoutError } from '../errors.ts'

type RequestErrorCode =
  | 'invalid_json'
  | 'invalid_utf8'
  | 'line_too_long'
  | 'invalid_row'
  | 'missing_field'
  | 'unsupported_field'
  | 'invalid_value'
  | 'duplicate_id'
  | 'empty_prompt'
  | 'context_length_exceeded'
  | 'no_answer'
  | 'incomplete'
  | 'failed'

const SERVER_ERRORS: ReadonlySet<RequestErrorCode> = new Set(['failed', 'no_answer', 'incomplete'])

/** As OpenAI's error object has it. */
export class RequestError extends Error {
  override readonly name = 'RequestError'
  readonly code: RequestErrorCode
  /** The field at fault. */
  readonly param: string | undefined

  constructor(code: RequestErrorCode, message: string, param?: string) {
    super(message)
    this.code = code
    this.param = param
  }

  /** Whose fault it is. */
  get type(): 'invalid_request_error' | 'server_error' {
    return SERVER_ERRORS.has(this.code) ? 'server_error' : 'invalid_request_error'
  }
}

/** What is wrong with a request is its sender's fault, as long as it is no failure of the machine. */
export function requestErrorOf(cause: unknown): RequestError {
  if (cause instanceof RequestError) return cause
  if (!(cause instanceof SpoutError)) throw cause
  if (cause.code === 'data') return new RequestError('empty_prompt', cause.message, 'prompt')
  return new RequestError(
    'invalid_value',
    cause.message,
    /^[\w-]+(?=[:.])/.exec(cause.message)?.[0].replaceAll('-', '_'),
  )
}
