/**
 * Standard output as a generation needs it: back-pressure as a promise, the reader's departure as an error of its
 * own kind, and the time of the first byte.
 */
import type { Writable } from 'node:stream'
import { SpoutError } from '../errors.ts'

/** The reader went away (`| head -1`): stop at once, say nothing. */
export class ReaderGone extends Error {
  override readonly name = 'ReaderGone'
}

export interface Stdout {
  /** Milliseconds since the process started, of the first byte. */
  readonly firstByteAt: number | undefined
  /** Undefined when there is room for more; else a promise to wait for. Rejects with what `failure` rejects with. */
  write(text: string): Promise<void> | undefined
  /** Aborted with ReaderGone or SpoutError `output` as reason when nothing can be written any more. */
  readonly failure: AbortSignal
  /** When everything has left the process. */
  flush(): Promise<void>
}

export function openStdout(stream: Writable = process.stdout): Stdout {
  const controller = new AbortController()
  const failure = controller.signal
  let firstByteAt: number | undefined
  stream.on('error', (cause: NodeJS.ErrnoException) => controller.abort(reasonOf(cause)))
  const rejected = (reject: (reason: unknown) => void): void =>
    failure.addEventListener('abort', () => reject(failure.reason), { once: true })
  return {
    failure,
    get firstByteAt() {
      return firstByteAt
    },
    write(text) {
      if (failure.aborted) return Promise.reject(failure.reason)
      firstByteAt ??= performance.now()
      if (stream.write(text)) return undefined
      return new Promise((resolve, reject) => {
        stream.once('drain', resolve)
        rejected(reject)
      })
    },
    flush: () =>
      new Promise((resolve, reject) => {
        if (failure.aborted) return reject(failure.reason)
        rejected(reject)
        stream.write('', () => resolve())
      }),
  }
}

function reasonOf(cause: NodeJS.ErrnoException): Error {
  if (cause.code === 'EPIPE') return new ReaderGone('reader gone', { cause })
  return new SpoutError('output', `output: cannot be written: ${cause.code ?? cause.message}`, {
    hint: 'free some space, or write elsewhere',
    cause,
  })
}
