/**
 * Whose turn it is. A backend has one set of bound buffers, so requests that come at once run one after another, in the
 * order in which they came; one that waits can be aborted, and ends without having touched the backend.
 */
import { afterDispose } from '../errors.ts'

/** The right to use the backend. Whoever got it calls `leave`. */
export interface Turn {
  /** Aborts with the request's own signal, and when the turn is taken away. */
  readonly signal: AbortSignal
  /** Asks whoever has the turn to end it soon. */
  abort(reason: unknown): void
  leave(): void
}

interface Waiting {
  readonly start: () => void
  readonly refuse: (error: unknown) => void
}

export class Turns {
  readonly #waiting: Waiting[] = []
  #running: Turn | undefined
  #isClosed = false

  /**
   * Resolves when all that came before have left; with `undefined` when `signal` aborts before that.
   * @throws SpoutError `usage` once the turns are closed, also to those that wait.
   */
  async enter(signal: AbortSignal | undefined): Promise<Turn | undefined> {
    if (this.#isClosed) throw afterDispose('engine')
    if (signal?.aborted) return undefined
    if (this.#running === undefined) return this.#start(signal)
    return new Promise((resolve, reject) => {
      const abort = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(waiting), 1)
        resolve(undefined)
      }
      const waiting: Waiting = {
        start: () => {
          signal?.removeEventListener('abort', abort)
          resolve(this.#start(signal))
        },
        refuse: (error) => {
          signal?.removeEventListener('abort', abort)
          reject(error)
        },
      }
      this.#waiting.push(waiting)
      signal?.addEventListener('abort', abort, { once: true })
    })
  }

  /** Aborts the request that runs, and refuses all others, those that wait and those that will come. */
  close(): void {
    this.#isClosed = true
    for (const { refuse } of this.#waiting.splice(0)) refuse(afterDispose('engine'))
    this.#running?.abort(afterDispose('engine'))
  }

  #start(signal: AbortSignal | undefined): Turn {
    const own = new AbortController()
    const pass = (): void => own.abort(signal!.reason)
    signal?.addEventListener('abort', pass, { once: true })
    const turn: Turn = {
      signal: own.signal,
      abort: (reason) => own.abort(reason),
      leave: () => {
        signal?.removeEventListener('abort', pass)
        this.#running = undefined
        this.#waiting.shift()?.start()
      },
    }
    this.#running = turn
    return turn
  }
}
