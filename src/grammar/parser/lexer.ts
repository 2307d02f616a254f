/**
 * Which terminals the bytes since a row can still become. A state is a set of terminals, each with the derivative that is left
 * of it; states are made when they are reached and kept once.
 */
import type { ByteClasses } from '../regex/byte-sets.ts'
import { NOTHING, type Regex, type Regexes } from '../regex/regexes.ts'

export type LexState = number

/** No terminal can come of it. */
export const NO_TERMINAL: LexState = 0

interface Entry {
  /** [terminal, what is left of it, terminal, …] */
  readonly parts: readonly number[]
  /** The terminals that are whole. */
  readonly whole: readonly Regex[]
  classes: ByteClasses | undefined
  /** The state after a byte of each class; -1 where it is not known. */
  next: Int32Array | undefined
}

export class Lexer {
  readonly #regexes: Regexes
  readonly #states: Entry[] = []
  readonly #byKey = new Map<string, LexState>()

  constructor(regexes: Regexes) {
    this.#regexes = regexes
    this.#add([])
  }

  /** Where all of these terminals begin. */
  start(terminals: Iterable<Regex>): LexState {
    return this.#add(
      [...new Set(terminals)].sort((a, b) => a - b).flatMap((terminal) => [terminal, terminal]),
    )
  }

  next(state: LexState, byte: number): LexState {
    const entry = this.#states[state]!
    const classes = this.classes(state)
    entry.next ??= new Int32Array(classes.sample.length).fill(-1)
    const known = entry.next[classes.of[byte]!]!
    if (known >= 0) return known
    const next = this.#step(entry, byte)
    entry.next[classes.of[byte]!] = next
    return next
  }

  /** The same where so many characters come nowhere near the limit of a length. */
  withoutLimits(state: LexState, margin: number): LexState {
    const { parts } = this.#states[state]!
    let isSame = true
    const relaxed = parts.map((part, i) => {
      const rest = i % 2 === 0 ? part : this.#regexes.withoutLimit(part, margin)
      isSame &&= rest === part
      return rest
    })
    return isSame ? state : this.#add(relaxed)
  }

  /** How many characters of any kind may come, in a JSON string; `isAll`: and nothing else but its end. */
  textRoom(state: LexState): { readonly room: number; readonly isAll: boolean } {
    const { text } = this.#regexes
    const { parts } = this.#states[state]!
    let most = 0
    let isAll = parts.length === 2
    if (text === NOTHING) return { room: 0, isAll: false }
    for (let i = 1; i < parts.length; i += 2) {
      const room = this.#regexes.textRoom(parts[i]!, text)
      most = Math.max(most, room.room)
      isAll &&= room.isAll
    }
    return { room: most, isAll }
  }

  /** The terminals that the bytes are, from first to last. */
  whole(state: LexState): readonly Regex[] {
    return this.#states[state]!.whole
  }

  /** The terminals that it can become, and what is left of each. */
  terminals(state: LexState): { readonly terminal: Regex; readonly left: Regex }[] {
    const { parts } = this.#states[state]!
    return Array.from({ length: parts.length / 2 }, (_, i) => ({
      terminal: parts[2 * i]!,
      left: parts[2 * i + 1]!,
    }))
  }

  /** Bytes of one class lead to the same state. */
  classes(state: LexState): ByteClasses {
    const entry = this.#states[state]!
    entry.classes ??= this.#regexes.classes(entry.parts.filter((_, i) => i % 2 === 1))
    return entry.classes
  }

  #step({ parts }: Entry, byte: number): LexState {
    const next: number[] = []
    for (let i = 0; i < parts.length; i += 2) {
      const left = this.#regexes.prune(this.#regexes.derive(parts[i + 1]!, byte))
      if (left !== NOTHING) next.push(parts[i]!, left)
    }
    return this.#add(next)
  }

  #add(parts: readonly number[]): LexState {
    const key = parts.join()
    const known = this.#byKey.get(key)
    if (known !== undefined) return known
    const whole = parts.filter((_, i) => i % 2 === 0 && this.#regexes.isNullable(parts[i + 1]!))
    this.#states.push({ parts, whole, classes: undefined, next: undefined })
    this.#byKey.set(key, this.#states.length - 1)
    return this.#states.length - 1
  }
}
