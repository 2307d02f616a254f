/**
 * Standard output as a generation needs it: back-pressure as a promise, and the reader's departure as an error of its
 * own kind, known at the very write that met it.
 */
import type { Writable } from 'node:stream'
import { SpoutError } from '../errors.ts'
import { isDiskFull } from '../system/disk-full.ts'

/** The reader went away (`| head -1`): stop at once, say nothing. */
export class ReaderGone extends Error {
  override readonly name = 'ReaderGone'
}

/** Where an answer goes. */
export interface Output {
  /** Undefined when there is room for more; else a promise to wait for. Rejects with the reason of `failure`. */
  write(text: string): Promise<void> | undefined
  /** When everything has left the process. */
  flush(): Promise<void>
}

export interface Stdout extends Output {
  /** True once anything was written. */
  readonly used: boolean
  /** Aborted with ReaderGone or SpoutError `output` as reason when nothing can be written any more. */
  readonly failure: AbortSignal
}

interface Waiting {
  readonly promise: Promise<void>
  resolve(): void
  reject(reason: unknown): void
}

/** @param name what a failure calls it */
export function openStdout(stream: Writable = process.stdout, name = 'output'): Stdout {
  const controller = new AbortController()
  const failure = controller.signal
  let used = false
  let waiting: Waiting | undefined
  const fail = (cause: Error): void => {
    controller.abort(reasonOf(cause, name))
    waiting?.reject(failure.reason)
  }
  stream.on('error', fail)
  stream.on('drain', () => {
    waiting?.resolve()
    waiting = undefined
  })
  return {
    failure,
    get used() {
      return used
    },
    write(text) {
      if (failure.aborted) return rejected(failure.reason)
      used = true
      const room = stream.write(text)
      // The event comes later, after the promises that are ready: by then more would have been computed.
      if (stream.errored) fail(stream.errored)
      if (failure.aborted) return rejected(failure.reason)
      if (room) return undefined
      waiting ??= makeWaiting()
      return waiting.promise
    },
    flush: () =>
      new Promise((resolve, reject) => {
        if (failure.aborted) return reject(failure.reason)
        stream.write('', (error) => {
          if (error) fail(error)
          if (failure.aborted) reject(failure.reason)
          else resolve()
        })
      }),
  }
}

function makeWaiting(): Waiting {
  let resolve!: () => void
  let reject!: (reason: unknown) => void
  const promise = new Promise<void>((yes, no) => {
    resolve = yes
    reject = no
  })
  promise.catch(() => undefined)
  return { promise, resolve, reject }
}

/** Whoever awaits it hears it; whoever does not is no crash. */
function rejected(reason: unknown): Promise<never> {
  const promise = Promise.reject(reason)
  promise.catch(() => undefined)
  return promise
}

function reasonOf(cause: NodeJS.ErrnoException, name: string): Error {
  return cause.code === 'EPIPE' ? new ReaderGone('reader gone', { cause }) : outputError(name, cause)
}

/** `what` could not be written. */
export function outputError(what: string, cause: unknown): SpoutError {
  const { code, message } = cause as NodeJS.ErrnoException
  return new SpoutError('output', `${what}: cannot be written: ${code ?? message}`, {
    hint: isDiskFull(cause) ? 'free some space, or write elsewhere' : 'write elsewhere',
    cause,
  })
}
