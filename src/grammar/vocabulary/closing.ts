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
   * another text may have fewer tokens. @returns true also where finding out would take too long, and for more tokens than
   * places are tried: each token of a shortest text leads to another
   */
  mayFit(start: Place, left: number, first: boolean): boolean {
    if (left > MOST_TRIED) return true
    // A text of a structure has no byte that is not a token by itself, so that counting its tokens can wait until room is short.
    if ((this.#automaton.completion(start)?.length ?? Number.POSITIVE_INFINITY) <= left) return true
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
  const tries = slices.map(({ trie }) => ({ trie, roots: rootsOf(trie) }))
  const fewest = new Array<number>(bytes.length + 1).fill(Number.POSITIVE_INFINITY)
  fewest[bytes.length] = 0
  for (let from = bytes.length - 1; from >= 0; from--) {
    const to = Math.min(bytes.length, from + longest)
    for (const { trie, roots } of tries) {
      const tokens = 1 + fewestAfter(trie, roots[bytes[from]!]!, { bytes, from, to, fewest })
      if (tokens < fewest[from]!) fewest[from] = tokens
    }
  }
  return fewest[0]!
}

interface Spelled {
  readonly bytes: readonly number[]
  readonly from: number
  readonly to: number
  /** The tokens that spell what comes from each byte on. */
  readonly fewest: readonly number[]
}

/** The fewest tokens after one of those that the bytes begin with. */
function fewestAfter({ nodes }: TokenTrie, root: number, { bytes, from, to, fewest }: Spelled): number {
  let least = Number.POSITIVE_INFINITY
  let at = root
  for (let depth = from; at >= 0; ) {
    if (nodes[at]! >= 256 && fewest[depth + 1]! < least) least = fewest[depth + 1]!
    const end = nodes[at + 1]!
    if (++depth >= to) return least
    at += NODE
    while (at < end && (nodes[at]! & 255) !== bytes[depth]) at = nodes[at + 1]!
    if (at >= end) return least
  }
  return least
}

const roots = new WeakMap<TokenTrie, Int32Array>()

/** Where the tokens with each first byte begin; -1 where there are none. */
function rootsOf(trie: TokenTrie): Int32Array {
  const known = roots.get(trie)
  if (known !== undefined) return known
  const found = new Int32Array(256).fill(-1)
  const { nodes } = trie
  for (let at = 0; at < nodes.length; at = nodes[at + 1]!) found[nodes[at]! & 255] = at
  roots.set(trie, found)
  return found
}
