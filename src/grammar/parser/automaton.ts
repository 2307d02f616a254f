/**
 * The parser as an automaton over bytes, made as it is walked. A place in a text is a set of (row, terminals begun there); each
 * such set is kept once and named by a number, and its 256 successors stand in one table. All that a walk over 150,000 tokens
 * does at most of its steps is to look one of them up.
 */
import type { Regexes } from '../regex/regexes.ts'
import { Completions } from './completions.ts'
import { Lexer, NO_TERMINAL } from './lexer.ts'
import { FIRST_ROW, Rows } from './rows.ts'
import type { Rule, Rules } from './rules.ts'

export type Place = number

/** In the table: not found out yet. */
export const UNKNOWN: Place = 0
/** Nothing can follow. */
export const DEAD: Place = 1

/** Successors of so many places are kept, 1 KB each; then they are found again. */
const MOST_PLACES = 1 << 16

export class Automaton {
  /** The place after each byte: [place × 256 + byte]. Replaced when it grows. */
  table: Int32Array = emptyTable()
  /** Goes up when all places but one are forgotten: their numbers mean others then. */
  generation = 0
  readonly #lexer: Lexer
  readonly #rows: Rows
  readonly #rules: Rules
  #completions: Completions | undefined
  /** [row, state of the lexer, …] of each place. */
  #parts: (readonly number[])[] = [[], []]
  #complete: boolean[] = [false, false]
  #byKey = new Map<string, Place>()

  constructor(rules: Rules, start: Rule) {
    const regexes: Regexes = rules.regexes
    this.#lexer = new Lexer(regexes)
    this.#rows = new Rows(rules, this.#lexer, start)
    this.#rules = rules
  }

  start(): Place {
    return this.#add([FIRST_ROW, this.#rows.lex(FIRST_ROW)], this.#rows.isComplete(FIRST_ROW))
  }

  /** Whether a text may end here. */
  isComplete(place: Place): boolean {
    return this.#complete[place]!
  }

  next(place: Place, byte: number): Place {
    const known = this.table[(place << 8) | byte]!
    return known === UNKNOWN ? this.#find(place, byte) : known
  }

  /** The same place where so many characters come nowhere near the limit of a length: there are far fewer of these. */
  withoutLimits(place: Place, margin: number): Place {
    const parts = this.#parts[place]!
    const relaxed: number[] = []
    for (let i = 0; i < parts.length; i += 2)
      insert(relaxed, parts[i]!, this.#lexer.withoutLimits(parts[i + 1]!, margin))
    return this.#add(relaxed, this.#complete[place]!)
  }

  /** How many characters of any kind may come here, in a JSON string; `isAll`: and nothing else but its end. */
  textRoom(place: Place): { readonly room: number; readonly isAll: boolean } {
    const parts = this.#parts[place]!
    if (parts.length === 2) return this.#lexer.textRoom(parts[1]!)
    let room = 0
    for (let i = 1; i < parts.length; i += 2) room = Math.max(room, this.#lexer.textRoom(parts[i]!).room)
    return { room, isAll: false }
  }

  /** Whether a text must end here: it is complete, and no byte leads on. */
  isLast(place: Place): boolean {
    if (!this.#complete[place]) return false
    for (let byte = 0; byte < 256; byte++) if (this.next(place, byte) !== DEAD) return false
    return true
  }

  /** The fewest bytes that make the text whole, or nearly so few; `undefined` when none were found. */
  completion(place: Place): readonly number[] | undefined {
    if (this.#complete[place]) return []
    this.#completions ??= new Completions(this.#rules, this.#rows, this.#lexer)
    return this.#completions.of(this.#parts[place]!)
  }

  /** How many places there are. */
  get size(): number {
    return this.#parts.length
  }

  /** Forgets all places but one, when there are too many. @returns its number now. */
  tidy(place: Place): Place {
    if (this.#parts.length < MOST_PLACES) return place
    const parts = this.#parts[place]!
    const isComplete = this.#complete[place]!
    this.#parts = [[], []]
    this.#complete = [false, false]
    this.#byKey = new Map()
    this.table = emptyTable()
    this.generation++
    return this.#add(parts, isComplete)
  }

  #find(place: Place, byte: number): Place {
    const next = this.#step(this.#parts[place]!, byte)
    this.#fill(place, byte, next)
    return next
  }

  #step(parts: readonly number[], byte: number): Place {
    const next: number[] = []
    const ended: number[] = []
    for (let i = 0; i < parts.length; i += 2) {
      const row = parts[i]!
      const lex = this.#lexer.next(parts[i + 1]!, byte)
      if (lex === NO_TERMINAL) continue
      insert(next, row, lex)
      for (const terminal of this.#lexer.whole(lex)) ended.push(row, terminal)
    }
    let isComplete = false
    if (ended.length > 0) {
      const row = this.#rows.after(ended)
      isComplete = this.#rows.isComplete(row)
      const lex = this.#rows.lex(row)
      if (lex !== NO_TERMINAL) insert(next, row, lex)
    }
    return next.length === 0 && !isComplete ? DEAD : this.#add(next, isComplete)
  }

  /** Bytes that none of the terminals tells from this one lead to the same place. */
  #fill(place: Place, byte: number, next: Place): void {
    const parts = this.#parts[place]!
    const { table } = this
    const at = place << 8
    const first = this.#lexer.classes(parts[1]!).of
    for (let other = 0; other < 256; other++) {
      if (first[other] !== first[byte] || table[at | other] !== UNKNOWN) continue
      let same = true
      for (let i = 3; i < parts.length && same; i += 2) {
        const { of } = this.#lexer.classes(parts[i]!)
        same = of[other] === of[byte]
      }
      if (same) table[at | other] = next
    }
  }

  #add(parts: readonly number[], isComplete: boolean): Place {
    const key = `${isComplete ? '+' : ''}${parts.join()}`
    const known = this.#byKey.get(key)
    if (known !== undefined) return known
    const place = this.#parts.length
    this.#parts.push(parts)
    this.#complete.push(isComplete)
    this.#byKey.set(key, place)
    if ((place + 1) * 256 > this.table.length) this.#grow()
    if (parts.length === 0) this.table.fill(DEAD, place << 8, (place + 1) << 8)
    return place
  }

  #grow(): void {
    const table = new Int32Array(2 * this.table.length)
    table.set(this.table)
    this.table = table
  }
}

/** Keeps the pairs in order, each once: a row that ends here may be one that is still being read. */
function insert(parts: number[], row: number, lex: number): void {
  let at = parts.length
  while (at > 0 && (parts[at - 2]! > row || (parts[at - 2] === row && parts[at - 1]! > lex))) at -= 2
  if (at > 0 && parts[at - 2] === row && parts[at - 1] === lex) return
  parts.splice(at, 0, row, lex)
}

/** Nothing follows where nothing can. */
function emptyTable(): Int32Array {
  return new Int32Array(64 * 256).fill(DEAD, DEAD << 8, (DEAD + 1) << 8)
}
