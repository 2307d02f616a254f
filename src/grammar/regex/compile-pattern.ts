/**
 * Patterns over characters as expressions over the bytes that spell them: UTF-8 as it stands, or as the inside of a JSON string.
 * A pattern is compiled together with what follows it, which is what assertions speak about: `$` leaves the empty rest, a
 * lookahead is an intersection with the rest.
 */
import { type CodePoints, intersect, utf8Of } from './code-points.ts'
import { hasAssertion, isAssertion, mayBeEmpty, type Pattern } from './pattern.ts'
import { refuse } from './refuse.ts'
import { EMPTY, NOTHING, type Regex, type Regexes } from './regexes.ts'

/** How characters are spelled. */
export interface Spelling {
  readonly regexes: Regexes
  /** One character of the set. */
  of(set: CodePoints): Regex
  /** Any text. */
  readonly text: Regex
}

export function utf8Spelling(regexes: Regexes): Spelling {
  return createSpelling(regexes, (set) => utf8Of(regexes, set))
}

const ESCAPES: readonly (readonly [number, string])[] = [
  [0x08, '\\b'],
  [0x09, '\\t'],
  [0x0a, '\\n'],
  [0x0c, '\\f'],
  [0x0d, '\\r'],
  [0x22, '\\"'],
  [0x5c, '\\\\'],
]
const PLAIN: CodePoints = [0x20, 0x21, 0x23, 0x5b, 0x5d, 0xd7ff, 0xe000, 0x10ffff]

/** The inside of a JSON string, each character in one way: as it stands where that is allowed, else by its shortest escape. */
export function jsonSpelling(regexes: Regexes): Spelling {
  const short = new Map(ESCAPES)
  const spelling = createSpelling(regexes, (set) => {
    const parts = [utf8Of(regexes, intersect(set, PLAIN))]
    for (const [from, to] of pairsBelow(set, 0x5c)) {
      for (let point = from; point <= to; point++) {
        const spelled = short.get(point) ?? `\\u${point.toString(16).padStart(4, '0')}`
        if (point < 0x20 || short.has(point)) parts.push(regexes.literal(spelled))
      }
    }
    return regexes.or(parts)
  })
  regexes.text = spelling.text
  return spelling
}

function pairsBelow(set: CodePoints, last: number): [number, number][] {
  const found: [number, number][] = []
  for (let i = 0; i < set.length && set[i]! <= last; i += 2)
    found.push([set[i]!, Math.min(set[i + 1]!, last)])
  return found
}

function createSpelling(regexes: Regexes, spell: (set: CodePoints) => Regex): Spelling {
  const known = new Map<string, Regex>()
  const of = (set: CodePoints): Regex => {
    const key = set.join()
    const regex = known.get(key) ?? spell(set)
    known.set(key, regex)
    return regex
  }
  return { regexes, of, text: regexes.star(of([0, 0xd7ff, 0xe000, 0x10ffff])) }
}

/** The texts that are a match from their first to their last character. */
export function compileWhole(spelling: Spelling, pattern: Pattern, where: string): Regex {
  return new Compiler(spelling, where).compile(pattern, EMPTY, 'yes')
}

/** The texts with a match anywhere in them, as `pattern` of JSON Schema means it. */
export function compileSearch(spelling: Spelling, pattern: Pattern, where: string): Regex {
  const { regexes, text, of } = spelling
  const compiler = new Compiler(spelling, where)
  const here = compiler.compile(pattern, text, 'yes')
  const later = compiler.compile(pattern, text, 'no')
  const any = of([0, 0xd7ff, 0xe000, 0x10ffff])
  if (here === later) return regexes.concat(text, here)
  return regexes.or([here, regexes.concat(regexes.plus(any), later)])
}

/** Whether the text begins where a part of the pattern does. */
type AtStart = 'yes' | 'no' | 'maybe'

class Compiler {
  readonly #spelling: Spelling
  readonly #regexes: Regexes
  readonly #where: string

  constructor(spelling: Spelling, where: string) {
    this.#spelling = spelling
    this.#regexes = spelling.regexes
    this.#where = where
  }

  /** The pattern with `rest` behind it. */
  compile(pattern: Pattern, rest: Regex, atStart: AtStart): Regex {
    if (!hasAssertion(pattern)) return this.#regexes.concat(this.#plain(pattern), rest)
    switch (pattern.kind) {
      case 'start':
        return this.#start(rest, atStart)
      case 'end':
        return this.#regexes.isNullable(rest) ? EMPTY : NOTHING
      case 'look':
        return this.#look(pattern, rest, atStart)
      case 'choice':
        return this.#regexes.or(pattern.parts.map((part) => this.compile(part, rest, atStart)))
      case 'sequence':
        return this.#sequence(pattern.parts, rest, atStart)
      case 'repeat':
        return this.#repeat(pattern, rest, atStart)
      case 'set':
        return this.#regexes.concat(this.#spelling.of(pattern.set), rest)
    }
  }

  #start(rest: Regex, atStart: AtStart): Regex {
    if (atStart === 'maybe') throw refuse(this.#where, '^ after something that can be empty is not supported')
    return atStart === 'yes' ? rest : NOTHING
  }

  #look({ body, negative }: Pattern & { kind: 'look' }, rest: Regex, atStart: AtStart): Regex {
    const ahead = this.compile(body, this.#spelling.text, atStart)
    return this.#regexes.and([negative ? this.#regexes.not(ahead) : ahead, rest])
  }

  #sequence(parts: readonly Pattern[], rest: Regex, atStart: AtStart): Regex {
    const starts: AtStart[] = []
    let start = atStart
    for (const part of parts) {
      starts.push(start)
      if (isAssertion(part)) continue
      start = start === 'no' || !mayBeEmpty(part) ? 'no' : 'maybe'
    }
    return parts.reduceRight((after, part, i) => this.compile(part, after, starts[i]!), rest)
  }

  #repeat({ body, min, max }: Pattern & { kind: 'repeat' }, rest: Regex, atStart: AtStart): Regex {
    if (max > 1) throw refuse(this.#where, 'an assertion that is repeated is not supported')
    const once = max === 0 ? NOTHING : this.compile(body, rest, atStart)
    return min > 0 ? once : this.#regexes.or([once, rest])
  }

  #plain(pattern: Pattern): Regex {
    switch (pattern.kind) {
      case 'set':
        return this.#spelling.of(pattern.set)
      case 'choice':
        return this.#regexes.or(pattern.parts.map((part) => this.#plain(part)))
      case 'sequence':
        return this.#regexes.concat(...pattern.parts.map((part) => this.#plain(part)), EMPTY)
      case 'repeat':
        return this.#regexes.repeat(this.#plain(pattern.body), pattern.min, pattern.max)
      default:
        return EMPTY
    }
  }
}
