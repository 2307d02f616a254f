/** EBNF as the W3C writes it. A rule goes on to the next `name ::=`; `A - B` is what is A and not B. */
import type { CompiledGrammar, Expression } from '../parser/expressions.ts'
import { type CodePoints, complement, normalize, utf8Of } from '../regex/code-points.ts'
import { type Regex, type Regexes, UNBOUNDED } from '../regex/regexes.ts'
import { choiceOf, NamedRules, sequenceOf } from './named-rules.ts'
import { NESTED, Scanner } from './scanner.ts'

/** The start is `root` where there is one, else the first rule. @throws SpoutError `usage`, `grammar: line …`. */
export function compileEbnf(regexes: Regexes, text: string): CompiledGrammar {
  return new EbnfReader(regexes, text).read()
}

const SPACE = /(?:\s|\/\*[\s\S]*?\*\/|\[\d+[a-z]?\](?=\s+[A-Za-z_][\w.-]*\s*::=))*/y
const NAME = /[A-Za-z_][\w.-]*/y
const HEAD = /[A-Za-z_][\w.-]*\s*::=/y
const CODE = /#x([\da-fA-F]+)/y

class EbnfReader {
  readonly #regexes: Regexes
  readonly #scanner: Scanner
  readonly #named: NamedRules
  #depth = 0

  constructor(regexes: Regexes, text: string) {
    this.#regexes = regexes
    this.#scanner = new Scanner(text, 'grammar')
    this.#named = new NamedRules(this.#scanner)
  }

  read(): CompiledGrammar {
    const scanner = this.#scanner
    let first: string | undefined
    for (scanner.match(SPACE); !scanner.isAtEnd; scanner.match(SPACE)) {
      const { at } = scanner
      if (!this.#seesHead()) throw scanner.refuse('a rule, name ::= …, is missing')
      const name = scanner.match(NAME)![0]
      scanner.match(SPACE)
      scanner.take('::=')
      first ??= name
      this.#named.define(name, this.#choice(), at)
    }
    if (first === undefined) throw scanner.refuse('it has no rules')
    return this.#named.compile(this.#regexes, this.#named.rules.has('root') ? 'root' : first)
  }

  #seesHead(): boolean {
    HEAD.lastIndex = this.#scanner.at
    return HEAD.test(this.#scanner.text)
  }

  #choice(): Expression {
    const parts = [this.#sequence()]
    while (this.#scanner.take('|')) parts.push(this.#sequence())
    return choiceOf(parts)
  }

  #sequence(): Expression {
    const parts: Expression[] = []
    for (this.#scanner.match(SPACE); this.#seesItem(); this.#scanner.match(SPACE))
      parts.push(this.#difference())
    return sequenceOf(parts)
  }

  #seesItem(): boolean {
    return /["'[(#A-Za-z_]/.test(this.#scanner.text[this.#scanner.at] ?? '') && !this.#seesHead()
  }

  #difference(): Expression {
    const scanner = this.#scanner
    const item = this.#repeated()
    scanner.match(SPACE)
    const { at } = scanner
    if (!scanner.take('-')) return item
    scanner.match(SPACE)
    const [from, without] = [this.#regular(item), this.#regular(this.#repeated())]
    if (from === undefined || without === undefined)
      throw scanner.refuse('what stands beside - has to be a class, a text or a group of them', at)
    return {
      kind: 'terminal',
      regex: this.#regexes.prune(this.#regexes.and([from, this.#regexes.not(without)])),
    }
  }

  #regular(part: Expression): Regex | undefined {
    if (part.kind === 'terminal') return part.regex
    if (part.kind === 'rule') return undefined
    if (part.kind === 'repeat') {
      const body = this.#regular(part.body)
      return body === undefined ? undefined : this.#regexes.repeat(body, part.min, part.max)
    }
    const parts = part.parts.map((each) => this.#regular(each))
    if (parts.includes(undefined)) return undefined
    return part.kind === 'choice'
      ? this.#regexes.or(parts as Regex[])
      : this.#regexes.concat(...(parts as Regex[]))
  }

  #repeated(): Expression {
    const scanner = this.#scanner
    let body = this.#item()
    for (;;) {
      if (scanner.take('*')) body = { kind: 'repeat', body, min: 0, max: UNBOUNDED }
      else if (scanner.take('+')) body = { kind: 'repeat', body, min: 1, max: UNBOUNDED }
      else if (scanner.take('?')) body = { kind: 'repeat', body, min: 0, max: 1 }
      else return body
    }
  }

  #item(): Expression {
    const scanner = this.#scanner
    const quote = scanner.match(/"([^"]*)"|'([^']*)'/y)
    if (quote !== undefined) return { kind: 'terminal', regex: this.#regexes.literal(quote[1] ?? quote[2]!) }
    if (scanner.sees('#x')) return this.#set([[this.#code(), 0]].map(([point]) => [point!, point!]))
    if (scanner.take('[')) return this.#class()
    if (scanner.take('(')) return this.#group()
    const { at } = scanner
    const name = scanner.match(NAME)
    if (name === undefined) throw scanner.refuse('this is no part of a rule')
    return this.#named.use(name[0], at)
  }

  #group(): Expression {
    if (++this.#depth > NESTED) throw this.#scanner.refuse('nested too deeply')
    const body = this.#choice()
    this.#depth--
    if (!this.#scanner.take(')')) throw this.#scanner.refuse(') is missing')
    return body
  }

  #class(): Expression {
    const scanner = this.#scanner
    const negative = scanner.take('^')
    const ranges: [number, number][] = []
    while (!scanner.take(']')) {
      if (scanner.isAtEnd) throw scanner.refuse('a class that is not closed')
      const from = this.#code()
      const isRange = scanner.sees('-') && !scanner.sees('-]')
      if (isRange) scanner.at++
      const to = isRange ? this.#code() : from
      if (from > to) throw scanner.refuse('a range out of order')
      ranges.push([from, to])
    }
    return this.#set(ranges, negative)
  }

  /** `#x` and digits, or the character itself. */
  #code(): number {
    const digits = this.#scanner.match(CODE)
    if (digits === undefined) return this.#scanner.point()
    const point = Number.parseInt(digits[1]!, 16)
    if (point > 0x10ffff) throw this.#scanner.refuse('no such character')
    return point
  }

  #set(ranges: readonly (readonly number[])[], negative = false): Expression {
    const set: CodePoints = normalize(ranges as readonly (readonly [number, number])[])
    return { kind: 'terminal', regex: utf8Of(this.#regexes, negative ? complement(set) : set) }
  }
}
