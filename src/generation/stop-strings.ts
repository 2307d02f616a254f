import { SpoutError } from '../errors.ts'
import { StringMatcher } from './string-matcher.ts'

/**
 * Cuts a stream of text at the first stop string, which may lie across pieces. The occurrence that ends first wins; of two
 * that end together, the longer. Text that may be the beginning of a stop string is held back, never more than the longest.
 *
 *     const text = stops.push(piece)
 *     if (stops.matched !== undefined) finish('stop-string')
 */
export class StopStrings {
  readonly #matcher: StringMatcher | undefined

  /** @throws SpoutError `usage` for an empty stop string. */
  constructor(stops: readonly string[]) {
    if (stops.includes('')) throw new SpoutError('usage', 'stop string: must not be empty')
    this.#matcher = stops.length === 0 ? undefined : new StringMatcher(stops)
  }

  /** The stop string that was found, if any. Everything pushed after it is dropped. */
  get matched(): string | undefined {
    return this.#matcher?.matched
  }

  /** Text that is certainly before any stop string. */
  push(piece: string): string {
    return this.#matcher === undefined ? piece : this.#matcher.push(piece)
  }

  /** Held-back text that no stop string followed: '' after a match. Leaves `matched` as it is. */
  flush(): string {
    return this.#matcher === undefined || this.matched !== undefined ? '' : this.#matcher.flush()
  }

  /** As new: for the next request. */
  reset(): void {
    this.#matcher?.reset()
  }
}
