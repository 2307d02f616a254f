/**
 * Constraints over the vocabulary of one model. What was found out of a structure, places and masks, stays for the next text
 * with the same one; two texts at once never share it, for each may have to forget.
 */
import { GrammarConstraint } from './grammar-constraint.ts'
import type { Automaton } from './parser/automaton.ts'
import { openAutomaton, type Structure } from './structure.ts'
import { Masks } from './vocabulary/masks.ts'
import { type SlicedVocabulary, withEndIds } from './vocabulary/slices.ts'

interface OpenedConstraint {
  readonly constraint: GrammarConstraint
  /** The text is finished: what was found out may be used again. */
  release(): void
}

interface Found {
  readonly automaton: Automaton
  readonly vocabulary: SlicedVocabulary
  readonly masks: Masks
}

/** Structures of which something is kept, the oldest let go. */
const MOST_KEPT = 8

export class Structures {
  readonly #open: () => SlicedVocabulary
  #vocabulary: SlicedVocabulary | undefined
  readonly #kept = new Map<string, Found>()
  #foreseen: { readonly structure: Structure; readonly automaton: Automaton } | undefined

  /** @param open makes the vocabulary: when the first structure comes */
  constructor(open: () => SlicedVocabulary) {
    this.#open = open
  }

  /** The tokens, whichever end a text. */
  get vocabulary(): SlicedVocabulary {
    this.#vocabulary ??= this.#open()
    return this.#vocabulary
  }

  /** @param options.closes see `ConstraintOptions`. @throws SpoutError as `openConstraint` does. */
  open(structure: Structure, endIds: Iterable<number>, { closes = false } = {}): OpenedConstraint {
    const ends = [...endIds].sort((a, b) => a - b)
    const key = JSON.stringify([structure, ends])
    const found = this.#kept.get(key) ?? this.#find(structure, ends)
    this.#kept.delete(key)
    return {
      constraint: new GrammarConstraint(found.automaton, found.vocabulary, { masks: found.masks, closes }),
      release: () => this.#keep(key, found),
    }
  }

  /** For the time until it is opened: makes the vocabulary and the first mask. What fails then fails again there. */
  foresee(structure: Structure): void {
    try {
      const { automaton, masks } = this.#find(structure, [])
      masks.at(automaton.start(), true)
      this.#foreseen = { structure, automaton }
    } catch {
      // said when it is opened
    }
  }

  #find(structure: Structure, ends: readonly number[]): Found {
    const vocabulary = withEndIds(this.vocabulary, ends)
    const foreseen = this.#foreseen?.structure === structure ? this.#foreseen.automaton : undefined
    this.#foreseen = undefined
    const automaton = foreseen ?? openAutomaton(structure, vocabulary)
    return { automaton, vocabulary, masks: new Masks(automaton, vocabulary) }
  }

  #keep(key: string, found: Found): void {
    this.#kept.set(key, found)
    if (this.#kept.size > MOST_KEPT) this.#kept.delete(this.#kept.keys().next().value!)
  }
}
