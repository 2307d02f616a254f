/**
 * Lark: rules in small letters, terminals in capitals, strings and regular expressions, `%ignore` and `%import common.…`. Every
 * reading counts, as with Lark's own Earley parser: priorities choose between readings of one text, and no text is lost or won by them.
 */
import type { CompiledGrammar, Expression } from '../parser/expressions.ts'
import { utf8Of } from '../regex/code-points.ts'
import { compileWhole, type Spelling, utf8Spelling } from '../regex/compile-pattern.ts'
import { readPattern } from '../regex/read-pattern.ts'
import { type Regexes, UNBOUNDED } from '../regex/regexes.ts'
import { choiceOf, NamedRules, sequenceOf } from './named-rules.ts'
import { NESTED, Scanner } from './scanner.ts'

/** The start is the rule `start`. @throws SpoutError `usage`, `grammar: line …`. */
export function compileLark(regexes: Regexes, text: string): CompiledGrammar {
  return new LarkReader(regexes, text).read()
}

/** Of `common`, by their definitions. */
const COMMON: Readonly<Record<string, string>> = {
  DIGIT: '[0-9]',
  HEXDIGIT: '[a-fA-F0-9]',
  INT: '[0-9]+',
  SIGNED_INT: '[+-]?[0-9]+',
  DECIMAL: '[0-9]+\\.[0-9]*|\\.[0-9]+',
  FLOAT: '[0-9]+[eE][+-]?[0-9]+|(?:[0-9]+\\.[0-9]*|\\.[0-9]+)(?:[eE][+-]?[0-9]+)?',
  NUMBER: '[0-9]+(?:\\.[0-9]*)?(?:[eE][+-]?[0-9]+)?|\\.[0-9]+(?:[eE][+-]?[0-9]+)?',
  SIGNED_NUMBER: '[+-]?(?:[0-9]+(?:\\.[0-9]*)?(?:[eE][+-]?[0-9]+)?|\\.[0-9]+(?:[eE][+-]?[0-9]+)?)',
  LCASE_LETTER: '[a-z]',
  UCASE_LETTER: '[A-Z]',
  LETTER: '[A-Za-z]',
  WORD: '[A-Za-z]+',
  CNAME: '[_A-Za-z][_A-Za-z0-9]*',
  ESCAPED_STRING: '"(?:[^"\\\\\\n]|\\\\.)*"',
  WS_INLINE: '[ \\t]+',
  WS: '[ \\t\\f\\r\\n]+',
  CR: '\\r',
  LF: '\\n',
  NEWLINE: '(?:\\r?\\n)+',
}

const SPACE = /(?:[ \t\r]|\/\/[^\n]*)*/y
const SPACE_AND_LINES = /(?:[ \t\r\n]|\/\/[^\n]*)*/y
/** Space, and lines that go on with a bar. */
const TO_BAR = /(?:[ \t\r\n]|\/\/[^\n]*)*\|/y
const HEAD = /([?!]*)(_?[a-z][_a-z0-9]*|_?[A-Z][_A-Z0-9]*)(?:\.-?\d+)?[ \t]*:/y
const NAME = /_?[a-z][_a-z0-9]*|_?[A-Z][_A-Z0-9]*/y
const STRING = /"((?:[^"\\\n]|\\.)*)"(i?)/y
const REGEX = /\/((?:[^/\\\n]|\\.)+)\/([imslux]*)/y

class LarkReader {
  readonly #regexes: Regexes
  readonly #spelling: Spelling
  readonly #scanner: Scanner
  readonly #named: NamedRules
  /** What may stand before each terminal. */
  readonly #ignored: Expression[] = []
  #depth = 0

  constructor(regexes: Regexes, text: string) {
    this.#regexes = regexes
    this.#spelling = utf8Spelling(regexes)
    this.#scanner = new Scanner(text, 'grammar')
    this.#named = new NamedRules(this.#scanner)
  }

  read(): CompiledGrammar {
    const scanner = this.#scanner
    for (scanner.match(SPACE_AND_LINES); !scanner.isAtEnd; scanner.match(SPACE_AND_LINES)) {
      if (scanner.take('%')) this.#directive()
      else this.#rule()
      scanner.match(SPACE)
      if (!scanner.isAtEnd && !scanner.sees('\n')) throw scanner.refuse('this belongs to no rule')
    }
    return this.#withIgnored().compile(this.#regexes, this.#ignored.length > 0 ? ' text' : 'start')
  }

  #rule(): void {
    const scanner = this.#scanner
    const { at } = scanner
    const head = scanner.match(HEAD)
    if (head === undefined) throw scanner.refuse('a rule, name: …, is missing')
    this.#named.define(head[2]!, this.#choice(), at)
  }

  #directive(): void {
    const scanner = this.#scanner
    const { at } = scanner
    const word = scanner.match(/[a-z]+/y)?.[0]
    scanner.match(SPACE)
    if (word === 'ignore') this.#ignored.push(this.#choice())
    else if (word === 'import') this.#import(at)
    else throw scanner.refuse(`%${word ?? ''} is not supported`, at)
  }

  #import(at: number): void {
    const found = this.#scanner.match(/common\.([A-Z_]+)(?:[ \t]*->[ \t]*([A-Z_][A-Z_0-9]*))?/y)
    const list = found ?? this.#scanner.match(/common[ \t]*\(([A-Z_, \t]+)\)/y)
    if (list === undefined) throw this.#scanner.refuse('only common.… can be imported', at)
    const names = found === undefined ? list[1]!.split(/[, \t]+/).filter((name) => name !== '') : [found[1]!]
    for (const name of names) {
      const source = COMMON[name]
      if (source === undefined) throw this.#scanner.refuse(`common.${name} is unknown`, at)
      this.#named.define(found?.[2] ?? name, this.#pattern(source, '', at), at)
    }
  }

  #choice(): Expression {
    const parts = [this.#sequence()]
    while (this.#scanner.match(TO_BAR) !== undefined) parts.push(this.#sequence())
    return choiceOf(parts)
  }

  #sequence(): Expression {
    const scanner = this.#scanner
    const parts: Expression[] = []
    const skip = () => scanner.match(this.#depth > 0 ? SPACE_AND_LINES : SPACE)
    for (skip(); /["/[(a-zA-Z_]/.test(scanner.text[scanner.at] ?? ''); skip())
      parts.push(this.#repeated(this.#item()))
    if (scanner.take('->')) {
      scanner.match(SPACE)
      if (scanner.match(NAME) === undefined) throw scanner.refuse('a name is missing after ->')
      skip()
    }
    return sequenceOf(parts)
  }

  #item(): Expression {
    const scanner = this.#scanner
    const { at } = scanner
    if (scanner.take('(')) return this.#group(')')
    if (scanner.take('[')) return { kind: 'repeat', body: this.#group(']'), min: 0, max: 1 }
    const text = scanner.match(STRING)
    if (text !== undefined) return this.#string(text, at)
    const regex = scanner.match(REGEX)
    if (regex !== undefined) return this.#pattern(regex[1]!, regex[2]!, at)
    const name = scanner.match(NAME)
    if (name === undefined) throw scanner.refuse('this is no part of a rule')
    if (scanner.sees('{')) throw scanner.refuse('templates are not supported')
    return this.#named.use(name[0], at)
  }

  #group(close: string): Expression {
    if (++this.#depth > NESTED) throw this.#scanner.refuse('nested too deeply')
    const body = this.#choice()
    this.#scanner.match(SPACE_AND_LINES)
    this.#depth--
    if (!this.#scanner.take(close)) throw this.#scanner.refuse(`${close} is missing`)
    return body
  }

  #repeated(item: Expression): Expression {
    const scanner = this.#scanner
    let body = item
    for (;;) {
      if (scanner.take('*')) body = { kind: 'repeat', body, min: 0, max: UNBOUNDED }
      else if (scanner.take('+')) body = { kind: 'repeat', body, min: 1, max: UNBOUNDED }
      else if (scanner.take('?')) body = { kind: 'repeat', body, min: 0, max: 1 }
      else {
        const { at } = scanner
        const times = scanner.match(/[ \t]*~[ \t]*(\d+)(?:[ \t]*\.\.[ \t]*(\d+))?/y)
        if (times === undefined) return body
        const [min, max] = [Number(times[1]), Number(times[2] ?? times[1])]
        if (min > max) throw scanner.refuse('bounds out of order', at)
        body = { kind: 'repeat', body, min, max }
      }
    }
  }

  #string([, inside, insensitive]: RegExpExecArray, at: number): Expression {
    const text = unescaped(inside!)
    if (text === undefined) throw this.#scanner.refuse('an unknown escape in a text', at)
    if (this.#scanner.match(/[ \t]*\.\.[ \t]*/y)) return this.#range(text, at)
    if (insensitive === '') return { kind: 'terminal', regex: this.#regexes.literal(text) }
    return this.#pattern(text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&'), 'i', at)
  }

  #range(from: string, at: number): Expression {
    const to = this.#scanner.match(STRING)
    const points = [from, to && unescaped(to[1]!)].map((text) =>
      text && [...text].length === 1 ? text.codePointAt(0)! : -1,
    )
    if (points.includes(-1) || points[0]! > points[1]!)
      throw this.#scanner.refuse('a range of characters out of order', at)
    return { kind: 'terminal', regex: utf8Of(this.#regexes, [points[0]!, points[1]!]) }
  }

  #pattern(source: string, flags: string, at: number): Expression {
    const before = this.#scanner.text.slice(0, at).split('\n').length
    const where = `grammar: line ${before}`
    if (/[mlx]/.test(flags))
      throw this.#scanner.refuse(`the flag ${/[mlx]/.exec(flags)![0]} is not supported`, at)
    const pattern = readPattern(source, where, {
      ignoreCase: flags.includes('i'),
      dotAll: flags.includes('s'),
    })
    return { kind: 'terminal', regex: compileWhole(this.#spelling, pattern, where) }
  }

  /** Terminals of rules, not those within terminals, may have ignored text before them; so may the end. */
  #withIgnored(): NamedRules {
    if (this.#ignored.length === 0) return this.#named
    const ignored: Expression = { kind: 'repeat', body: choiceOf(this.#ignored), min: 0, max: UNBOUNDED }
    const before = (part: Expression): Expression => {
      const isTerminal = part.kind === 'terminal' || (part.kind === 'rule' && /^_?[A-Z]/.test(part.name))
      if (isTerminal) return { kind: 'sequence', parts: [ignored, part] }
      if (part.kind === 'rule') return part
      if (part.kind === 'repeat') return { ...part, body: before(part.body) }
      return { ...part, parts: (part as { parts: readonly Expression[] }).parts.map(before) }
    }
    for (const [name, body] of this.#named.rules)
      if (!/^_?[A-Z]/.test(name)) this.#named.rules.set(name, before(body))
    const start = this.#named.use('start', 0)
    this.#named.rules.set(' text', { kind: 'sequence', parts: [start, ignored] })
    return this.#named
  }
}

function unescaped(inside: string): string | undefined {
  const codes: Record<string, string> = { n: '\n', r: '\r', t: '\t', f: '\f', '"': '"', '\\': '\\', '/': '/' }
  let known = true
  const text = inside.replace(/\\(?:x([\da-fA-F]{2})|u([\da-fA-F]{4})|(.))/g, (_, x, u, char: string) => {
    if (char === undefined) return String.fromCharCode(Number.parseInt(x ?? u, 16))
    known &&= codes[char] !== undefined
    return codes[char] ?? ''
  })
  return known ? text : undefined
}
