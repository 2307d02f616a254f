/**
 * How many requests one server is given at once. It gives way as TCP does: a server that says it is busy gets half as many, one
 * that answers gets one more after as many answers as run at once. Whoever is to wait, waits here, first come first served.
 */

export interface GateLimits {
  /** Requests at once: with so many it begins. */
  readonly most: number
  readonly now?: () => number
}

/** A request that was let in. */
export interface Pass {
  /** Gives way once for all requests that were let in before. */
  readonly round: number
}

export class Gate {
  readonly #most: number
  readonly #now: () => number
  #limit: number
  #running = 0
  #round = 0
  /** Nobody is let in before. */
  #closedUntil = 0
  #timer: NodeJS.Timeout | undefined
  readonly #waiting = new Set<() => void>()

  constructor({ most, now = () => performance.now() }: GateLimits) {
    this.#most = most
    this.#limit = most
    this.#now = now
  }

  /** Requests that may be under way now. */
  get limit(): number {
    return Math.floor(this.#limit)
  }

  /** Requests under way, and those that wait, for each that may be under way. */
  get load(): number {
    return (this.#running + this.#waiting.size) / this.limit
  }

  /** One that comes now is let in at once. */
  get isOpen(): boolean {
    return this.#waiting.size === 0 && this.#hasRoom
  }

  /** How long nobody is let in, in ms. */
  get closedMs(): number {
    return Math.max(0, this.#closedUntil - this.#now())
  }

  get #hasRoom(): boolean {
    return this.#running < this.limit && this.closedMs === 0
  }

  /** Resolves when there is room. @throws the signal's reason */
  async enter(signal?: AbortSignal): Promise<Pass> {
    signal?.throwIfAborted()
    if (this.isOpen) this.#running++
    else await this.#wait(signal)
    return { round: this.#round }
  }

  /** @param end `busy`: the server said so; `answered`: it gave an answer; else it says nothing of how busy it is */
  leave({ round }: Pass, end: 'busy' | 'answered' | 'failed'): void {
    this.#running--
    if (end === 'answered') this.#limit = Math.min(this.#most, this.#limit + 1 / this.#limit)
    if (end === 'busy' && round === this.#round) {
      this.#limit = Math.max(1, this.#limit / 2)
      this.#round++
    }
    this.#letIn()
  }

  /** Lets nobody in for a while. */
  close(ms: number): void {
    this.#closedUntil = Math.max(this.#closedUntil, this.#now() + ms)
    this.#letIn()
  }

  #wait(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        this.#waiting.delete(enter)
        signal?.removeEventListener('abort', abort)
      }
      const enter = (): void => {
        leave()
        this.#running++
        resolve()
      }
      const abort = (): void => {
        leave()
        reject(signal!.reason)
      }
      signal?.addEventListener('abort', abort, { once: true })
      this.#waiting.add(enter)
      this.#letIn()
    })
  }

  #letIn(): void {
    clearTimeout(this.#timer)
    if (this.#waiting.size === 0) return
    const { closedMs } = this
    if (closedMs > 0) {
      this.#timer = setTimeout(() => this.#letIn(), Math.min(closedMs + 1, 2 ** 31 - 1))
      return
    }
    for (const enter of this.#waiting) {
      if (!this.#hasRoom) return
      enter()
    }
  }
}
