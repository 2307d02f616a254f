/**
 * What may come next in a text that must satisfy a grammar. It follows emitted ids; its guesses are forced bytes as tokens, to
 * be judged like any other draft.
 */
import type { Allowed, Constraint } from './constraint.ts'
import { type Automaton, DEAD, type Place } from './parser/automaton.ts'
import { Closing } from './vocabulary/closing.ts'
import { makeGuess } from './vocabulary/forced.ts'
import { type Mask, Masks } from './vocabulary/masks.ts'
import type { SlicedVocabulary } from './vocabulary/slices.ts'

/** Up to so many ids are given as a list: it is shorter to go through than the mask. */
const SHORT = 4096
/** With more to come nothing is near its end. */
const MOST_CLOSED = 8192

/** White space, and whatever ASCII has that is neither a letter, a digit nor a control character. */
function isPunctuation(byte: number): boolean {
  const isLetter = (byte >= 0x41 && byte <= 0x5a) || (byte >= 0x61 && byte <= 0x7a)
  const isDigit = byte >= 0x30 && byte <= 0x39
  return byte < 0x7f && !isLetter && !isDigit && (byte >= 0x20 || byte === 0x0a || byte === 0x09)
}

interface ConstraintOptions {
  readonly masks?: Masks
  /** Near the end of what may be written (`left`) only tokens are allowed after which the rest still fits. Default false. */
  readonly closes?: boolean
}

export class GrammarConstraint implements Constraint {
  readonly #automaton: Automaton
  readonly #vocabulary: SlicedVocabulary
  readonly #masks: Masks
  readonly #ids = new Int32Array(SHORT)
  #allowed: Allowed | undefined
  #place: Place
  #isFirst = true
  #hasEnded = false
  readonly #tail: number[] = []
  left = Number.POSITIVE_INFINITY
  wasClosed = false
  /** Only tokens that leave room for an end are allowed, as `left` says. */
  readonly #closes: boolean
  readonly #closing: Closing

  /** The automaton and the masks may be shared by constraints that take turns. */
  constructor(
    automaton: Automaton,
    vocabulary: SlicedVocabulary,
    { masks = new Masks(automaton, vocabulary), closes = false }: ConstraintOptions = {},
  ) {
    this.#automaton = automaton
    this.#vocabulary = vocabulary
    this.#masks = masks
    this.#closes = closes
    this.#closing = new Closing(automaton, vocabulary, masks)
    this.#place = automaton.start()
  }

  get isComplete(): boolean {
    return this.#automaton.isComplete(this.#place)
  }

  get mustEnd(): boolean {
    return this.#hasEnded || this.#automaton.isLast(this.#place)
  }

  allowed(): Allowed {
    this.#allowed ??= this.#findAllowed()
    return this.#allowed
  }

  get closes(): boolean {
    return this.#closes
  }

  /** The fewest tokens that make the text whole; Infinity where no way is known. */
  get needed(): number {
    return this.#hasEnded ? 0 : this.#closing.needed(this.#place)
  }

  /** False where surely no text of so many tokens is whole. */
  mayFit(tokens: number): boolean {
    return this.#closing.mayFit(this.#place, tokens, this.#isFirst)
  }

  isExempt(id: number): boolean {
    const { bytes, starts } = this.#vocabulary.texts
    for (let at = starts[id]!; at < starts[id + 1]!; at++) if (!isPunctuation(bytes[at]!)) return false
    return true
  }

  #findAllowed(): Allowed {
    this.#place = this.#automaton.tidy(this.#place)
    const { bits, count } = this.#closingMask() ?? this.#masks.at(this.#place, this.#isFirst)
    return count > SHORT ? { bits } : { ids: this.#list(bits, count) }
  }

  #closingMask(): Mask | undefined {
    if (!this.#closes || this.left > MOST_CLOSED) return undefined
    const mask = this.#closing.mask(this.#place, this.left - 1, this.#isFirst)
    if (mask !== undefined) this.wasClosed = true
    return mask
  }

  /** @throws RangeError when the id is not allowed. */
  accept(id: number): void {
    const isEnd = this.#vocabulary.endIds.includes(id)
    if (isEnd && this.isComplete) {
      this.#hasEnded = true
      return
    }
    const { bytes, starts } = this.#vocabulary.texts
    let place = isEnd || starts[id] === starts[id + 1] ? DEAD : this.#place
    const skip = this.#isFirst && this.#vocabulary.dropsFirstSpace && bytes[starts[id]!] === 0x20 ? 1 : 0
    for (let at = starts[id]! + skip; at < starts[id + 1]!; at++)
      place = this.#automaton.next(place, bytes[at]!)
    if (place === DEAD) throw new RangeError(`id ${id} is not allowed here`)
    for (let at = starts[id]! + skip; at < starts[id + 1]!; at++) this.#tail.push(bytes[at]!)
    if (this.#tail.length > 64) this.#tail.splice(0, this.#tail.length - 32)
    this.#place = place
    this.#allowed = undefined
    this.#isFirst = false
  }

  propose(into: Int32Array, most: number): number {
    if (this.#isFirst && this.#vocabulary.dropsFirstSpace) return 0
    const parts = { automaton: this.#automaton, vocabulary: this.#vocabulary, masks: this.#masks }
    const guess = makeGuess(parts, this.#place, this.#tail)
    const count = Math.min(most, guess.length, into.length)
    into.set(guess.slice(0, count))
    return count
  }

  #list(bits: Uint32Array, count: number): Int32Array {
    let found = 0
    for (let word = 0; found < count && word < bits.length; word++) {
      for (let left = bits[word]!; left !== 0; left &= left - 1)
        this.#ids[found++] = 32 * word + 31 - Math.clz32(left & -left)
    }
    return this.#ids.subarray(0, count)
  }
}
