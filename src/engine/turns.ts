/**
 * Whose turn it is. A conversation has one cache, so its requests that come at once run one after another, in the order in
 * which they came; one that waits can be aborted, and ends without having touched the cache.
 */

/** The right to use the cache. Whoever got it calls `leave`. */
export interface Turn {
  /** Aborts with the request's own signal, and with `abort`. */
  readonly signal: AbortSignal
  /** Asks whoever has the turn to end it soon. */
  abort(reason: unknown): void
  leave(): void
}

export class Turns {
  readonly #waiting: (() => void)[] = []
  #isTaken = false

  /** Resolves when all that came before have left; with `undefined` when `signal` aborts before that. */
  async enter(signal: AbortSignal | undefined): Promise<Turn | undefined> {
    if (signal?.aborted) return undefined
    if (!this.#isTaken) return this.#start(signal)
    return new Promise((resolve) => {
      const abort = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(start), 1)
        resolve(undefined)
      }
      const start = (): void => {
        signal?.removeEventListener('abort', abort)
        resolve(this.#start(signal))
      }
      this.#waiting.push(start)
      signal?.addEventListener('abort', abort, { once: true })
    })
  }

  #start(signal: AbortSignal | undefined): Turn {
    const controller = new AbortController()
    const pass = (): void => controller.abort(signal!.reason)
    signal?.addEventListener('abort', pass, { once: true })
    this.#isTaken = true
    return {
      signal: controller.signal,
      abort: (reason) => controller.abort(reason),
      leave: () => {
        signal?.removeEventListener('abort', pass)
        this.#isTaken = false
        this.#waiting.shift()?.()
      },
    }
  }
}
