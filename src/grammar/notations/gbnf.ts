/** GBNF, the grammars of llama.cpp. A rule ends with its line, unless a bracket is open or a bar goes on. */
import type { CompiledGrammar, Expression } from '../parser/expressions.ts'
import {
  ANY_CODE_POINT,
  type CodePoints,
  complement,
  normalize,
  union,
  utf8Of,
} from '../regex/code-points.ts'
import { type Regexes, UNBOUNDED } from '../regex/regexes.ts'
import { choiceOf, NamedRules, sequenceOf } from './named-rules.ts'
import { NESTED, Scanner } from './scanner.ts'

/** @throws SpoutError `usage`, `grammar: line …`. */
export function compileGbnf(regexes: Regexes, text: string): CompiledGrammar {
  return new GbnfReader(regexes, text).read()
}

const NAME = /[a-zA-Z][a-zA-Z0-9_-]*/y
const SPACE = /(?:[ \t\r]|#[^\n]*)*/y
const SPACE_AND_LINES = /(?:[ \t\r\n]|#[^\n]*)*/y
/** Also from the line below. */
const TO_BAR = /(?:[ \t\r\n]|#[^\n]*)*\|/y
const BOUNDS = /\{\s*(\d*)\s*(?:(,)\s*(\d*)\s*)?\}/y
const ESCAPES: Record<string, number> = { n: 10, r: 13, t: 9 }

class GbnfReader {
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
    for (scanner.match(SPACE_AND_LINES); !scanner.isAtEnd; scanner.match(SPACE_AND_LINES)) {
      const { at } = scanner
      const name = scanner.match(NAME)?.[0]
      scanner.match(SPACE)
      if (name === undefined || !scanner.take('::=')) throw scanner.refuse('a rule, name ::= …, is missing')
      scanner.match(SPACE_AND_LINES)
      this.#named.define(name, this.#choice(), at)
      scanner.match(SPACE)
      if (!scanner.isAtEnd && !scanner.take('\n')) throw scanner.refuse('this belongs to no rule')
    }
    return this.#named.compile(this.#regexes, 'root')
  }

  #skip(): void {
    this.#scanner.match(this.#depth > 0 ? SPACE_AND_LINES : SPACE)
  }

  #choice(): Expression {
    const parts = [this.#sequence()]
    while (this.#scanner.match(TO_BAR) !== undefined) {
      this.#scanner.match(SPACE_AND_LINES)
      parts.push(this.#sequence())
    }
    return choiceOf(parts)
  }

  #sequence(): Expression {
    const parts: Expression[] = []
    for (this.#skip(); /["[(.a-zA-Z<!]/.test(this.#scanner.text[this.#scanner.at] ?? ''); this.#skip())
      parts.push(this.#repeated(this.#item()))
    return sequenceOf(parts)
  }

  #item(): Expression {
    const scanner = this.#scanner
    if (scanner.take('"')) return this.#literal()
    if (scanner.take('[')) return this.#set(this.#class())
    if (scanner.take('.')) return this.#set(ANY_CODE_POINT)
    if (scanner.take('(')) return this.#group()
    if (scanner.sees('<') || scanner.sees('!')) throw scanner.refuse('tokens by name are not supported')
    const { at } = scanner
    return this.#named.use(scanner.match(NAME)![0], at)
  }

  #group(): Expression {
    if (++this.#depth > NESTED) throw this.#scanner.refuse('nested too deeply')
    const body = this.#choice()
    this.#skip()
    this.#depth--
    if (!this.#scanner.take(')')) throw this.#scanner.refuse(') is missing')
    return body
  }

  #repeated(item: Expression): Expression {
    let body = item
    for (;;) {
      const bounds = this.#bounds()
      if (bounds === undefined) return body
      body = { kind: 'repeat', body, ...bounds }
    }
  }

  #bounds(): { min: number; max: number } | undefined {
    const scanner = this.#scanner
    this.#scanner.match(SPACE)
    if (scanner.take('*')) return { min: 0, max: UNBOUNDED }
    if (scanner.take('+')) return { min: 1, max: UNBOUNDED }
    if (scanner.take('?')) return { min: 0, max: 1 }
    const { at } = scanner
    const found = scanner.match(BOUNDS)
    if (found === undefined) return undefined
    const [, least, comma, most] = found
    const min = Number(least)
    const max = comma === undefined ? min : most === '' ? UNBOUNDED : Number(most)
    if (min > max || (least === '' && comma === undefined)) throw scanner.refuse('bounds out of order', at)
    return { min, max }
  }

  #literal(): Expression {
    const sets: CodePoints[] = []
    while (!this.#scanner.take('"')) {
      if (this.#scanner.isAtEnd) throw this.#scanner.refuse('a text that is not closed')
      const point = this.#character()
      sets.push([point, point])
    }
    return { kind: 'sequence', parts: sets.map((set) => this.#set(set)) }
  }

  #class(): CodePoints {
    const negative = this.#scanner.take('^')
    const ranges: [number, number][] = []
    while (!this.#scanner.take(']')) {
      if (this.#scanner.isAtEnd) throw this.#scanner.refuse('a class that is not closed')
      const from = this.#character()
      const isRange = this.#scanner.sees('-') && !this.#scanner.sees('-]')
      if (isRange) this.#scanner.at++
      const to = isRange ? this.#character() : from
      if (from > to) throw this.#scanner.refuse('a range out of order')
      ranges.push([from, to])
    }
    const set = normalize(ranges)
    return negative ? complement(set) : union(set)
  }

  #character(): number {
    const scanner = this.#scanner
    if (!scanner.take('\\')) return scanner.point()
    const digits = scanner.match(/x([\da-fA-F]{2})|u([\da-fA-F]{4})|U([\da-fA-F]{8})/y)
    if (digits !== undefined) {
      const point = Number.parseInt(digits[1] ?? digits[2] ?? digits[3]!, 16)
      if (point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff)) throw scanner.refuse('no such character')
      return point
    }
    const char = String.fromCodePoint(scanner.point())
    if (ESCAPES[char] !== undefined) return ESCAPES[char]
    if (/[a-zA-Z0-9]/.test(char)) throw scanner.refuse(`\\${char} is unknown`)
    return char.codePointAt(0)!
  }

  #set(set: CodePoints): Expression {
    return { kind: 'terminal', regex: utf8Of(this.#regexes, set) }
  }
}
