import { setTimeout as sleep } from 'node:timers/promises'
import { TransientError } from './hub-errors.ts'

// Patience with a network: some tries, waits that double up to eight seconds; what a hub asks to wait comes in place of them, up to a
// minute in all, and a longer one is an error at once. Every number can be set, because tests have less patience than people.

export interface Patience {
  /** Tries without any progress. */
  readonly tries: number
  readonly firstWaitMs: number
  readonly longestWaitMs: number
  /** The most that is waited in all because a hub asks for it. */
  readonly totalWaitMs: number
  /** Without a byte for so long, an exchange is given up. */
  readonly stallMs: number
  /** The same for questions about files rather than files. */
  readonly answerMs: number
  /** Time between two looks at what another process downloads. */
  readonly pollMs: number
  /** Without progress for so long, another process's download is not waited for any more. */
  readonly lockStaleMs: number
  /** Time between two notices that another process is waited for. */
  readonly noticeMs: number
}

export const PATIENCE: Patience = {
  tries: 5,
  firstWaitMs: 1_000,
  longestWaitMs: 8_000,
  totalWaitMs: 60_000,
  stallMs: 30_000,
  answerMs: 10_000,
  pollMs: 200,
  lockStaleMs: 60_000,
  noticeMs: 10_000,
}

/** How long to wait before each further try. Throws the final error when there is nothing to wait for any more. */
export class Waits {
  readonly #patience: Patience
  readonly #signal: AbortSignal | undefined
  readonly #stubborn: boolean
  #failures = 0
  #asked = 0

  /** @param stubborn whether also what is hopeless is tried again: a download under way has bytes to lose. */
  constructor(patience: Patience, signal?: AbortSignal, stubborn = false) {
    this.#patience = patience
    this.#signal = signal
    this.#stubborn = stubborn
  }

  /** Progress was made: what failed before does not count any more. */
  reset(): void {
    this.#failures = 0
  }

  async after(error: TransientError, onRetry?: (message: string) => void): Promise<void> {
    const { tries, firstWaitMs, longestWaitMs, totalWaitMs } = this.#patience
    if (++this.#failures >= tries || (error.hopeless && !this.#stubborn)) throw error.final
    const doubled = Math.min(longestWaitMs, firstWaitMs * 2 ** (this.#failures - 1))
    const wait = error.waitMs ?? doubled * (0.5 + Math.random() / 2)
    this.#asked += error.waitMs ?? 0
    if (this.#asked > totalWaitMs) throw error.final
    onRetry?.(`${error.message}; trying again`)
    await sleep(wait, undefined, this.#signal ? { signal: this.#signal } : {})
  }
}

/** Runs `act` until it succeeds or fails for good. */
export async function withRetries<T>(act: () => Promise<T>, options: RetryOptions): Promise<T> {
  const waits = new Waits(options.patience, options.signal)
  for (;;) {
    try {
      return await act()
    } catch (error) {
      if (!(error instanceof TransientError)) throw error
      await waits.after(error, options.onRetry)
    }
  }
}

interface RetryOptions {
  readonly patience: Patience
  readonly signal?: AbortSignal | undefined
  /** Told what failed before it is tried again. */
  readonly onRetry?: ((message: string) => void) | undefined
}
