/**
 * Signals. Where nothing has been written yet they keep their default action, which ends the process even while the
 * thread is busy and no handler could run. Once there is text to deliver they become an AbortSignal: the work ends and
 * hands over what it has, and then the process dies of the very signal, so that a shell loop around it stops too.
 */
import { setMaxListeners } from 'node:events'
import { outlivesTerminal } from './background-job.ts'

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
export type InterruptSignal = (typeof SIGNALS)[number]

/** Why everything is to stop. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted'
  readonly signal: InterruptSignal

  constructor(signal: InterruptSignal) {
    super(`interrupted by ${signal}`)
    this.signal = signal
  }
}

/** How long work may take to end by itself. */
const PATIENCE_MS = 700

export interface Interrupts {
  readonly signal: AbortSignal
  /** From here on a signal aborts. */
  listen(): void
  /** From here on a signal ends the process at once. */
  release(): void
  /** Aborts for another reason than a signal: the reader went away, the time is up. */
  abort(reason: unknown): void
}

export function createInterrupts(): Interrupts {
  const controller = new AbortController()
  // Each request under way listens: more than ten are no leak.
  setMaxListeners(0, controller.signal)
  const heard = SIGNALS.filter((name) => name !== 'SIGHUP' || !outlivesTerminal)
  const handlers = heard.map((name) => ({ name, handle: () => interrupt(name) }))
  const interrupt = (name: InterruptSignal): void => {
    if (controller.signal.aborted) dieOf(name)
    controller.abort(new Interrupted(name))
    setTimeout(() => dieOf(name), PATIENCE_MS).unref()
  }
  return {
    signal: controller.signal,
    listen() {
      this.release()
      for (const { name, handle } of handlers) process.on(name, handle)
    },
    release() {
      for (const { name, handle } of handlers) process.off(name, handle)
    },
    abort: (reason) => controller.abort(reason),
  }
}

/** Ends the process by the signal's own default action. */
export function dieOf(name: InterruptSignal): void {
  process.removeAllListeners(name)
  process.kill(process.pid, name)
}

/** `work`, or the signal's reason as soon as it is aborted: for work that cannot be interrupted. */
export function abortable<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason)
    if (signal.aborted) return abort()
    signal.addEventListener('abort', abort, { once: true })
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}
