/**
 * A context-free grammar as networks of states: one network a rule, with edges for terminals (regular expressions over
 * bytes), edges for rules, and empty ones. The edges of a state may be made when they are first asked for, so a grammar can be
 * larger than what is ever visited of it: a bound of 100,000 items, the indentation of each depth.
 */

import { EMPTY, NOTHING, type Regex, type Regexes } from '../regex/regexes.ts'
import { tooLarge } from '../regex/too-large.ts'

export type State = number
export type Rule = number

const MOST_STATES = 1 << 20

/** What can be done in a state, empty edges followed. Targets stand behind their labels, in pairs. */
interface Moves {
  /** [terminal, target, terminal, target …] */
  readonly terminals: readonly number[]
  /** [rule, target, rule, target …] */
  readonly rules: readonly number[]
  /** The rule may end here. */
  readonly accepts: boolean
}

export class Rules {
  readonly regexes: Regexes
  readonly #starts: State[] = []
  readonly #nullable: boolean[] = []
  readonly #ruleOf: Rule[] = []
  readonly #terminals: (number[] | undefined)[] = []
  readonly #calls: (number[] | undefined)[] = []
  readonly #empties: (number[] | undefined)[] = []
  readonly #accepts: boolean[] = []
  readonly #expand: ((() => void) | undefined)[] = []
  readonly #moves: (Moves | undefined)[] = []

  constructor(regexes: Regexes) {
    this.regexes = regexes
  }

  /** A rule with its first state. */
  rule(expand?: (start: State) => void): Rule {
    const rule = this.#starts.length
    this.#starts.push(-1)
    this.#nullable.push(false)
    const start: State = this.state(rule, expand && (() => expand(start)))
    this.#starts[rule] = start
    return rule
  }

  state(rule: Rule, expand?: () => void): State {
    const state = this.#ruleOf.length
    if (state >= MOST_STATES) throw tooLarge('the grammar has too many states')
    this.#ruleOf.push(rule)
    this.#accepts.push(false)
    this.#expand[state] = expand
    return state
  }

  start(rule: Rule): State {
    return this.#starts[rule]!
  }

  ruleOf(state: State): Rule {
    return this.#ruleOf[state]!
  }

  /** A terminal that takes the empty word too is one that may be left out. */
  terminal(from: State, terminal: Regex, to: State): void {
    const pruned = this.regexes.prune(terminal)
    if (this.regexes.isNullable(pruned)) this.empty(from, to)
    const rest = this.#withoutEmpty(pruned)
    if (rest === NOTHING) return
    this.#terminals[from] ??= []
    this.#terminals[from].push(rest, to)
  }

  call(from: State, rule: Rule, to: State): void {
    this.#calls[from] ??= []
    this.#calls[from].push(rule, to)
  }

  empty(from: State, to: State): void {
    this.#empties[from] ??= []
    this.#empties[from].push(to)
  }

  accept(state: State): void {
    this.#accepts[state] = true
  }

  /** The rule takes the empty word: its callers may pass it over. */
  setNullable(rule: Rule): void {
    this.#nullable[rule] = true
  }

  moves(state: State): Moves {
    const moves = this.#moves[state] ?? this.#findMoves(state)
    this.#moves[state] = moves
    return moves
  }

  #findMoves(from: State): Moves {
    const terminals: number[] = []
    const rules: number[] = []
    let accepts = false
    const seen = new Set([from])
    for (const state of seen) {
      this.#make(state)
      accepts ||= this.#accepts[state]!
      append(terminals, this.#terminals[state])
      append(rules, this.#calls[state])
      for (const to of this.#empties[state] ?? []) seen.add(to)
      const calls = this.#calls[state] ?? []
      for (let i = 0; i < calls.length; i += 2) if (this.#nullable[calls[i]!]) seen.add(calls[i + 1]!)
    }
    return { terminals, rules, accepts }
  }

  #make(state: State): void {
    const expand = this.#expand[state]
    this.#expand[state] = undefined
    expand?.()
  }

  /** As a condition on the first byte: the rest of the expression keeps its form. */
  #withoutEmpty(regex: Regex): Regex {
    const { regexes } = this
    if (!regexes.isNullable(regex)) return regex
    return regexes.prune(regexes.and([regex, regexes.not(EMPTY)]))
  }
}

function append(list: number[], more: readonly number[] | undefined): void {
  if (more !== undefined) for (const value of more) list.push(value)
}
