/** The body of a call: counted while it comes, then read as UTF-8 and as JSON that nests within bounds. */
import type { IncomingMessage } from 'node:http'
import type { Body } from '../openai/settings.ts'
import { ApiError } from './api-error.ts'
import { ClientGone } from './reply.ts'

const MOST_BODY_BYTES = 8 << 20
const MOST_DEPTH = 64

/** Bytes of all bodies together, from when they come until they are answered. */
const MOST_BYTES = 128 << 20

interface ReadBody {
  readonly body: Body
  /** The call is over. */
  release(): void
}

export class Bodies {
  #bytes = 0

  /**
   * @param goOn tells a client to send its body that has asked first
   * @throws ApiError 400, 413, 415 or 503; ClientGone
   */
  async read(request: IncomingMessage, goOn: () => void): Promise<ReadBody> {
    checkHeaders(request)
    if (request.headers.expect !== undefined) goOn()
    let size = 0
    const count = (bytes: number): void => {
      size += bytes
      this.#bytes += bytes
      if (size > MOST_BODY_BYTES) throw tooLarge()
      if (this.#bytes > MOST_BYTES) throw tooMany()
    }
    const release = (): void => {
      this.#bytes -= size
      size = 0
    }
    try {
      return { body: parseBody(await bytesOf(request, count)), release }
    } catch (error) {
      release()
      throw error
    }
  }
}

/** @param count may throw: nothing more is kept then */
function bytesOf(request: IncomingMessage, count: (bytes: number) => void): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    const take = (chunk: Buffer): void => {
      try {
        count(chunk.length)
        chunks.push(chunk)
      } catch (error) {
        request.off('data', take)
        reject(error)
      }
    }
    request.on('data', take)
    request.on('end', () => resolve(Buffer.concat(chunks)))
    request.on('close', () => reject(new ClientGone('the client is gone')))
    request.on('error', () => undefined)
  })
}

/** Before anything of it is read. @throws ApiError 413 or 415 */
function checkHeaders({ headers }: IncomingMessage): void {
  const { 'content-length': length, 'content-type': type = '', 'content-encoding': encoding } = headers
  if (Number(length) > MOST_BODY_BYTES) throw tooLarge()
  if (encoding !== undefined && encoding !== 'identity') {
    throw new ApiError(415, `content-encoding: ${JSON.stringify(encoding)} is not supported`, {
      code: 'unsupported_encoding',
    })
  }
  // curl says that it sends a form, fetch that it sends text, unless somebody tells them.
  if (type === '' || /^(application\/(json|x-www-form-urlencoded)|text\/plain)\s*(;|$)/i.test(type)) return
  throw new ApiError(415, 'content-type: only application/json is supported', { code: 'unsupported_type' })
}

function tooLarge(): ApiError {
  return new ApiError(413, `body: more than ${MOST_BODY_BYTES} bytes`, {
    code: 'body_too_large',
  })
}

function tooMany(): ApiError {
  return new ApiError(503, 'body: too many bytes are under way', {
    code: 'overloaded',
    headers: { 'retry-after': '5' },
  })
}

/** @throws ApiError 400 */
function parseBody(bytes: Buffer): Body {
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw new ApiError(400, 'body: it is not UTF-8', { code: 'invalid_utf8' })
  }
  checkDepth(text)
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    // The parser's own message quotes the text.
    throw new ApiError(400, `body: it is not JSON`, { code: 'invalid_json' })
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Body
  throw new ApiError(400, 'body: it is not a JSON object', { code: 'invalid_json' })
}

/** Brackets outside of strings, before anything goes down into them. */
function checkDepth(text: string): void {
  let depth = 0
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === QUOTE) at = endOfString(text, at)
    else if (code === OPEN_BRACE || code === OPEN_BRACKET) depth++
    else if (code === CLOSE_BRACE || code === CLOSE_BRACKET) depth--
    if (depth > MOST_DEPTH) {
      throw new ApiError(400, `body: it nests more than ${MOST_DEPTH} deep`, { code: 'invalid_json' })
    }
  }
}

/** Of the string that begins at `from`: where its closing quote is, or the end of the text. */
function endOfString(text: string, from: number): number {
  for (let at = from + 1; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === BACKSLASH) at++
    else if (code === QUOTE) return at
  }
  return text.length
}

const [QUOTE, BACKSLASH] = [0x22, 0x5c]
const [OPEN_BRACE, CLOSE_BRACE, OPEN_BRACKET, CLOSE_BRACKET] = [0x7b, 0x7d, 0x5b, 0x5d]
