/** The rules of a grammar as they are read: each name given once, each that is used given. */
import { type CompiledGrammar, compileGrammar, type Expression } from '../parser/expressions.ts'
import { refuse } from '../regex/refuse.ts'
import type { Regexes } from '../regex/regexes.ts'
import type { Scanner } from './scanner.ts'

export class NamedRules {
  readonly rules = new Map<string, Expression>()
  readonly #uses = new Map<string, number>()
  readonly #scanner: Scanner

  constructor(scanner: Scanner) {
    this.#scanner = scanner
  }

  /** @param at where the name stands. */
  define(name: string, body: Expression, at: number): void {
    if (this.rules.has(name)) throw this.#scanner.refuse(`the rule ${name} is given twice`, at)
    this.rules.set(name, body)
  }

  use(name: string, at: number): Expression {
    if (!this.#uses.has(name)) this.#uses.set(name, at)
    return { kind: 'rule', name }
  }

  compile(regexes: Regexes, start: string): CompiledGrammar {
    for (const [name, at] of this.#uses)
      if (!this.rules.has(name)) throw this.#scanner.refuse(`the rule ${name} is not defined`, at)
    if (!this.rules.has(start)) throw refuse(this.#scanner.where, `the rule ${start} is not defined`)
    const grammar = compileGrammar({ regexes, rules: this.rules, start })
    if (grammar === undefined) throw refuse(this.#scanner.where, `no text satisfies the rule ${start}`)
    return grammar
  }
}

export function sequenceOf(parts: readonly Expression[]): Expression {
  return parts.length === 1 ? parts[0]! : { kind: 'sequence', parts }
}

export function choiceOf(parts: readonly Expression[]): Expression {
  return parts.length === 1 ? parts[0]! : { kind: 'choice', parts }
}
