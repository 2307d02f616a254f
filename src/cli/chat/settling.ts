/**
 * What is run between two turns, in the time in which the next message is typed. A message waits for its end, for all
 * of it is part of what that message needs; everything else stops it.
 */
import type { Conversation, Settled, SettleIo } from '../../engine/engine.ts'
import type { GenerateRequest } from '../../engine/request.ts'

export class Settling {
  readonly #conversation: Conversation
  #running: Promise<void> | undefined
  #stopping = new AbortController()
  #onPrefill: SettleIo['onPrefill']
  #done: Settled = NOTHING

  constructor(conversation: Conversation) {
    this.#conversation = conversation
  }

  /** Begins, or goes on. A failure is left to the turn that meets it again. */
  start(next: GenerateRequest, trace: SettleIo['trace']): void {
    if (this.#running !== undefined) return
    this.#stopping = new AbortController()
    const { signal } = this.#stopping
    const onPrefill = (done: number, total: number): void => this.#onPrefill?.(done, total)
    this.#running = this.#conversation
      .settle(next, { signal, trace, onPrefill })
      .then((more) => this.#add(more))
      .catch(() => undefined)
  }

  /** Resolves at its end, which comes at once when `signal` aborts. */
  async finish(signal: AbortSignal, onPrefill: SettleIo['onPrefill']): Promise<void> {
    const stop = (): void => this.#stopping.abort()
    signal.addEventListener('abort', stop)
    if (signal.aborted) stop()
    this.#onPrefill = onPrefill
    await this.#running
    this.#onPrefill = undefined
    signal.removeEventListener('abort', stop)
    this.#running = undefined
  }

  /** Resolves when it has stopped. What was run until then is kept. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#running
    this.#running = undefined
  }

  /** What was run since this was last asked. */
  take(): Settled {
    const done = this.#done
    this.#done = NOTHING
    return done
  }

  #add({ tokens, ms }: Settled): void {
    this.#done = { tokens: this.#done.tokens + tokens, ms: this.#done.ms + ms }
  }
}

const NOTHING: Settled = { tokens: 0, ms: 0 }
