/** What may come next in a text that must satisfy something, as the token loop sees it. */
import type { Drafter } from '../drafting/drafter.ts'

/** Bit `id & 31` of word `id >> 5`, or ids in ascending order. */
export type Allowed = { readonly bits: Uint32Array } | { readonly ids: Int32Array }

/**
 * Follows the ids that are chosen, the prompt's not among them. Its guesses are what must come, as the tokens a model would
 * write it with: to be judged like any other.
 */
export interface Constraint extends Drafter {
  /** @throws RangeError when the id is not allowed. */
  accept(id: number): void
  /** Valid until `accept`; asked again it costs nothing. `undefined`: any id, as within reasoning. */
  allowed(): Allowed | undefined
  /** End ids are legal exactly now. */
  readonly isComplete: boolean
  /** Nothing but an end id is legal: the loop stops without asking the model. */
  readonly mustEnd: boolean
  /** Told before each choice: how many ids may still be chosen, that one among them. */
  left?: number
  /** The fewest ids that would make the text whole; Infinity where no way is known. */
  readonly needed?: number
  /** Less could be written than the model might have: `left` was near its end. */
  readonly wasClosed?: boolean
  /** Ids that no penalty for repetition meets: always the same ones. */
  isExempt?(id: number): boolean
}
