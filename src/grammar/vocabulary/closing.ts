/**
 * Which tokens still leave room to make a text whole, when only so many may follow. What a place needs is counted in tokens: the
 * fewest that spell its shortest completion.
 */
import type { Automaton, Place } from '../parser/automaton.ts'
import type { Mask, Masks } from './masks.ts'
import type { SlicedVocabulary } from './slices.ts'
import { NODE, type TokenTrie } from './token-trie.ts'

export class Closing {
  readonly #automaton: Automaton
  readonly #vocabulary: SlicedVocabulary
  readonly #masks: Masks
  readonly #needed = new Map<Place, number>()
  /** The most that any token at a place can make needed. */
  readonly #worst = new Map<Place, number>()
  #generation = 0

  constructor(automaton: Automaton, vocabulary: SlicedVocabulary, masks: Masks) {
    this.#automaton = automaton
    this.#vocabulary = vocabulary
    this.#masks = masks
  }

  /** Tokens that make the text whole; Infinity where no way is known. */
  needed(place: Place): number {
    this.#forget()
    const known = this.#needed.get(place)
    if (known !== undefined) return known
    const bytes = this.#automaton.completion(place)
    const count = bytes === undefined ? Number.POSITIVE_INFINITY : fewestTokens(this.#vocabulary, bytes)
    this.#needed.set(place, count)
    return count
  }

  /**
   * The tokens after which no more than `left` are needed; `undefined` where that is all of them, or no way is known.
   * @param first the text begins here
   */
  mask(place: Place, left: number, first: boolean): Mask | undefined {
    this.#forget()
    if (left >= (this.#worst.get(place) ?? Number.POSITIVE_INFINITY)) return undefined
    let worst = 0
    const mask = this.#masks.among(place, first, (end) => {
      const needed = this.needed(end)
      if (needed > worst) worst = needed
      return needed <= left
    })
    this.#worst.set(place, worst)
    return worst <= left || mask.count === 0 ? undefined : mask
  }

  /**
   * Whether so few tokens can make the text whole, whichever they are: what `needed` says is spelled from the fewest bytes, and
   * another text may have fewer tokens. @returns true also where finding out would take too long
   */
  mayFit(start: Place, left: number, first: boolean): boolean {
    if (this.needed(start) <= left) return true
    let level = new Set([start])
    const seen = new Set(level)
    for (let depth = 0; depth < left; depth++) {
      const later = new Set<Place>()
      for (const place of level) {
        if (seen.size > MOST_TRIED) return true
        this.#masks.among(place, first && depth === 0, (end) => {
          if (!seen.has(end)) later.add(end)
          return false
        })
      }
      for (const place of later) {
        if (this.needed(place) <= left - depth - 1) return true
        seen.add(place)
      }
      level = later
    }
    return false
  }

  #forget(): void {
    if (this.#generation === this.#automaton.generation) return
    this.#generation = this.#automaton.generation
    this.#needed.clear()
    this.#worst.clear()
  }
}

/** Places from which all tokens are tried. */
const MOST_TRIED = 100

/** Infinity where no tokens spell it. */
export function fewestTokens({ slices, longest }: SlicedVocabulary, bytes: readonly number[]): number {
  const fewest = new Array<number>(bytes.length + 1).fill(Number.POSITIVE_INFINITY)
  fewest[bytes.length] = 0
  for (let from = bytes.length - 1; from >= 0; from--) {
    const word = bytes.slice(from, from + longest)
    for (const { trie } of slices)
      eachPrefix(trie, word, (length) => {
        fewest[from] = Math.min(fewest[from]!, 1 + fewest[from + length]!)
      })
  }
  return fewest[0]!
}

/** Tells the lengths of the tokens that a word begins with. */
function eachPrefix({ nodes }: TokenTrie, word: readonly number[], tell: (length: number) => void): void {
  let from = 0
  let to = nodes.length
  for (let depth = 0; depth < word.length; depth++) {
    let at = from
    while (at < to && (nodes[at]! & 255) !== word[depth]) at = nodes[at + 1]!
    if (at >= to) return
    if (nodes[at]! >= 256) tell(depth + 1)
    from = at + NODE
    to = nodes[at + 1]!
  }
}
