/** What becomes of connections on which no request can be answered, or of which more comes than is wanted. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { ApiError } from './api-error.ts'

/** How long the rest of a refused request is read away. */
const DISCARD_MS = 5000

/** A client that writes on would not see the answer if its connection were cut. */
export function discard(request: IncomingMessage): void {
  request.resume()
  const timer = setTimeout(() => request.socket.destroy(), DISCARD_MS)
  timer.unref()
  request.once('close', () => clearTimeout(timer))
}

/**
 * A request that is no HTTP, is too long, or takes too long.
 * @param last the last response on this connection: one that has begun goes on, and nothing comes after it
 */
export function refuseUnreadable(
  error: NodeJS.ErrnoException,
  socket: Duplex,
  last: ServerResponse | undefined,
): void {
  if (last?.headersSent && !last.writableFinished) {
    last.once('close', () => socket.end())
    return
  }
  if (last?.headersSent && !last.shouldKeepAlive) {
    socket.end()
    return
  }
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy()
    return
  }
  const [status, text, failure] = refusal(error)
  const body = `${JSON.stringify(failure.body)}\n`
  socket.end(
    `HTTP/1.1 ${status} ${text}\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n` +
      `connection: close\r\n\r\n${body}`,
  )
}

function refusal({ code }: NodeJS.ErrnoException): readonly [number, string, ApiError] {
  const of = (status: number, text: string, message: string, word: string) =>
    [status, text, new ApiError(status, message, { code: word })] as const
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT')
    return of(408, 'Request Timeout', 'the request takes too long', 'timeout')
  if (code === 'HPE_HEADER_OVERFLOW') {
    return of(431, 'Request Header Fields Too Large', 'the headers are too long', 'headers_too_large')
  }
  return of(400, 'Bad Request', 'it is no HTTP request', 'invalid_http')
}
