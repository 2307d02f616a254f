/**
 * Who may give texts to the engine, and who waits: so many texts at once, the rest in a line of bounded length. The clients take
 * turns, and each one's requests keep their order: one that sends a hundred does not keep another from its first.
 */
import { ApiError, closing } from './api-error.ts'

export interface LineLimits {
  /** Texts in the engine at once. */
  readonly most: number
  /** Texts that may wait. */
  readonly mostWaiting: number
}

interface Waiting {
  readonly weight: number
  readonly start: (leave: () => void) => void
  readonly refuse: (reason: unknown) => void
}

export class WaitingLine {
  readonly #limits: LineLimits
  /** By client; who is first is next. */
  readonly #clients = new Map<string, Waiting[]>()
  #running = 0
  #waiting = 0
  #isClosed = false
  /** Mean time of a text in the engine, in ms. */
  #meanMs = 1000

  constructor(limits: LineLimits) {
    this.#limits = limits
  }

  /** Texts in the engine. */
  get running(): number {
    return this.#running
  }

  /** Texts that wait. */
  get waiting(): number {
    return this.#waiting
  }

  /** @throws ApiError 429 when so many more would not find room, 503 when the line is closed */
  checkRoom(texts: number): void {
    if (this.#isClosed) throw closing()
    const { most, mostWaiting } = this.#limits
    const free = Math.max(0, most - this.#running - this.#waiting)
    if (this.#waiting + texts - free <= mostWaiting) return
    const seconds = Math.ceil((this.#meanMs * (this.#waiting + 1)) / most / 1000)
    throw new ApiError(429, `queue: ${this.#waiting} texts wait already`, {
      code: 'queue_full',
      headers: { 'retry-after': String(Math.min(60, Math.max(1, seconds))) },
    })
  }

  /**
   * Resolves when it is this client's turn, with what is to be called when its texts are done.
   * @param texts how many they are; more than may run at once count as these
   * @throws the signal's reason; ApiError 503 when the line is closed meanwhile
   */
  enter(client: string, texts: number, signal: AbortSignal): Promise<() => void> {
    if (this.#isClosed) return Promise.reject(closing())
    const weight = Math.min(texts, this.#limits.most)
    return new Promise((resolve, reject) => {
      const abort = (): void => {
        this.#remove(client, entry)
        reject(signal.reason)
      }
      const entry: Waiting = {
        weight,
        start: (leave) => {
          signal.removeEventListener('abort', abort)
          resolve(leave)
        },
        refuse: (reason) => {
          signal.removeEventListener('abort', abort)
          reject(reason)
        },
      }
      if (signal.aborted) return reject(signal.reason)
      signal.addEventListener('abort', abort, { once: true })
      const own = this.#clients.get(client)
      if (own === undefined) this.#clients.set(client, [entry])
      else own.push(entry)
      this.#waiting += weight
      this.#startNext()
    })
  }

  /** Refuses all that wait, and all that will come. */
  close(): void {
    this.#isClosed = true
    const all = [...this.#clients.values()].flat()
    this.#clients.clear()
    this.#waiting = 0
    for (const { refuse } of all) refuse(closing())
  }

  #startNext(): void {
    for (;;) {
      const [client, own] = this.#clients.entries().next().value ?? []
      if (client === undefined || own === undefined) return
      const [first] = own
      if (this.#running + first!.weight > this.#limits.most) return
      own.shift()
      // Its next request comes after those of all others.
      this.#clients.delete(client)
      if (own.length > 0) this.#clients.set(client, own)
      this.#begin(first!)
    }
  }

  #begin({ weight, start }: Waiting): void {
    this.#waiting -= weight
    this.#running += weight
    const startedAt = performance.now()
    let hasLeft = false
    start(() => {
      if (hasLeft) return
      hasLeft = true
      this.#running -= weight
      this.#meanMs += (performance.now() - startedAt - this.#meanMs) / 8
      this.#startNext()
    })
  }

  #remove(client: string, entry: Waiting): void {
    const own = this.#clients.get(client)
    const at = own?.indexOf(entry) ?? -1
    if (own === undefined || at < 0) return
    own.splice(at, 1)
    if (own.length === 0) this.#clients.delete(client)
    this.#waiting -= entry.weight
    this.#startNext()
  }
}
