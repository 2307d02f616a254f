/**
 * The rows of an Earley parser: all that is known between two terminals. An item is a state of a rule and the row where the rule
 * began. Rows are kept once and named by numbers, and name each other: after the second element of a list the row is the
 * one after the first, whatever stood between. What a rule's end at a row leads to is a function of that row and found once,
 * so right recursion costs no more than left.
 */

import type { Regex } from '../regex/regexes.ts'
import { tooLarge } from '../regex/too-large.ts'
import { type Lexer, type LexState, NO_TERMINAL } from './lexer.ts'
import type { Rule, Rules, State } from './rules.ts'

export type Row = number

/** Nothing has been read. */
export const FIRST_ROW: Row = 0

const MOST_ROWS = 1 << 20
const MOST_ITEMS = 10_000
/** The rule that everything is part of began before the first row. */
export const BEFORE_ALL: Row = -1

interface Contents {
  /** The terminals that may come. */
  readonly lex: LexState
  /** What each terminal leads to: [state, row where its rule began, …]. */
  readonly afterTerminal: ReadonlyMap<Regex, readonly number[]>
  readonly afterRule: ReadonlyMap<Rule, readonly number[]>
  /** All that was read is a whole text of the grammar. */
  readonly isComplete: boolean
}

/** Items as numbers, (row + 1) × MOST_ROWS + state, and whether the whole grammar may end. */
class Found {
  readonly items = new Set<number>()
  isComplete = false

  add(other: Found): void {
    for (const item of other.items) this.items.add(item)
    this.isComplete ||= other.isComplete
  }
}

export class Rows {
  readonly #rules: Rules
  readonly #lexer: Lexer
  readonly #rows: Contents[] = []
  readonly #byKey = new Map<string, Row>()
  readonly #ends = new Map<number, Found>()
  readonly #predictions = new Map<Rule, readonly Rule[]>()

  constructor(rules: Rules, lexer: Lexer, start: Rule) {
    this.#rules = rules
    this.#lexer = lexer
    const state = rules.start(start)
    this.#add([state, BEFORE_ALL], rules.moves(state).accepts)
  }

  lex(row: Row): LexState {
    return this.#rows[row]!.lex
  }

  isComplete(row: Row): boolean {
    return this.#rows[row]!.isComplete
  }

  /** What waits at a row for a terminal, or for a rule that begins there: [state, row where its rule began, …]. */
  afterTerminal(row: Row, terminal: Regex): readonly number[] {
    return this.#rows[row]!.afterTerminal.get(terminal) ?? []
  }

  afterRule(row: Row, rule: Rule): readonly number[] {
    return this.#rows[row]!.afterRule.get(rule) ?? []
  }

  /** The row after terminals that end at one place: [row where it began, terminal, …]. */
  after(ended: readonly number[]): Row {
    const found = new Found()
    for (let i = 0; i < ended.length; i += 2) {
      const begun = this.#rows[ended[i]!]!.afterTerminal.get(ended[i + 1]!) ?? []
      for (const key of this.#take(begun, found)) found.add(this.#end(key))
    }
    if (found.items.size > MOST_ITEMS) throw tooLarge('the grammar is too ambiguous here')
    const sorted = [...found.items].sort((a, b) => a - b)
    return this.#add(
      sorted.flatMap((item) => [item % MOST_ROWS, Math.floor(item / MOST_ROWS) - 1]),
      found.isComplete,
    )
  }

  /** What the end of a rule that began at a row leads to. */
  #end(key: number): Found {
    const known = this.#ends.get(key)
    if (known !== undefined) return known
    const found = new Found()
    const keys = new Set([key])
    // Ends that are met on the way are added to the set that is gone through.
    for (const each of keys) {
      const remembered = this.#ends.get(each)
      if (remembered !== undefined) found.add(remembered)
      else for (const next of this.#take(this.#waiting(each), found)) keys.add(next)
    }
    this.#ends.set(key, found)
    return found
  }

  /** Keeps the states with something to come. @returns the ends of rules among them. */
  #take(pairs: readonly number[], found: Found): readonly number[] {
    const ends: number[] = []
    for (let i = 0; i < pairs.length; i += 2) {
      const [state, row] = [pairs[i]!, pairs[i + 1]!]
      const moves = this.#rules.moves(state)
      if (moves.terminals.length + moves.rules.length > 0) found.items.add((row + 1) * MOST_ROWS + state)
      if (!moves.accepts) continue
      if (row === BEFORE_ALL) found.isComplete = true
      else ends.push(row * MOST_ROWS + this.#rules.ruleOf(state))
    }
    return ends
  }

  #waiting(key: number): readonly number[] {
    const row = Math.floor(key / MOST_ROWS)
    const rule = key % MOST_ROWS
    return this.#rows[row]!.afterRule.get(rule) ?? []
  }

  #add(kernel: readonly number[], isComplete: boolean): Row {
    const key = `${isComplete}${kernel.join()}`
    const known = this.#byKey.get(key)
    if (known !== undefined) return known
    const row = this.#rows.length
    if (row >= MOST_ROWS) throw tooLarge('the text has too many places')
    this.#rows.push({ lex: NO_TERMINAL, afterTerminal: new Map(), afterRule: new Map(), isComplete })
    this.#byKey.set(key, row)
    this.#rows[row] = this.#contents(row, kernel, isComplete)
    return row
  }

  #contents(row: Row, kernel: readonly number[], isComplete: boolean): Contents {
    const afterTerminal = new Map<Regex, number[]>()
    const afterRule = new Map<Rule, number[]>()
    const predicted = new Set<Rule>()
    const take = (state: State, begun: Row): void => {
      const { terminals, rules } = this.#rules.moves(state)
      for (let i = 0; i < terminals.length; i += 2)
        addPair(afterTerminal, terminals[i]!, terminals[i + 1]!, begun)
      for (let i = 0; i < rules.length; i += 2) {
        addPair(afterRule, rules[i]!, rules[i + 1]!, begun)
        for (const rule of this.#predict(rules[i]!)) predicted.add(rule)
      }
    }
    for (let i = 0; i < kernel.length; i += 2) take(kernel[i]!, kernel[i + 1]!)
    for (const rule of predicted) take(this.#rules.start(rule), row)
    return { lex: this.#lexer.start(afterTerminal.keys()), afterTerminal, afterRule, isComplete }
  }

  /** A rule and all that it may begin with. */
  #predict(rule: Rule): readonly Rule[] {
    const known = this.#predictions.get(rule)
    if (known !== undefined) return known
    const all = new Set([rule])
    for (const each of all) {
      const { rules } = this.#rules.moves(this.#rules.start(each))
      for (let i = 0; i < rules.length; i += 2) all.add(rules[i]!)
    }
    this.#predictions.set(rule, [...all])
    return [...all]
  }
}

function addPair(map: Map<number, number[]>, key: number, state: State, row: Row): void {
  const list = map.get(key)
  if (list === undefined) map.set(key, [state, row])
  else list.push(state, row)
}
