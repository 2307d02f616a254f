/**
 * Reads ECMAScript regular expressions, `u` semantics. Escapes that `u` forbids but everybody writes (`\-`, `\/`, `\_`) are taken
 * as the characters they mean. What no automaton can do is refused with its place.
 */
import { DIGIT, NOT_LINE_END, propertySet, SPACE, WORD, withBothCases } from './character-classes.ts'
import { ANY_CODE_POINT, type CodePoints, complement, normalize, union } from './code-points.ts'
import type { Pattern } from './pattern.ts'
import { refuse } from './refuse.ts'
import { UNBOUNDED } from './regexes.ts'

const MOST_NESTED = 200
const MOST_REPEATS = 1_000_000_000

const CONTROLS: Record<string, number> = { t: 9, n: 10, v: 11, f: 12, r: 13 }

/**
 * @param where what is read, for messages.
 * @throws SpoutError `usage`, with the position.
 */
export function readPattern(source: string, where: string, options: PatternOptions = {}): Pattern {
  return new Reader(source, where, options).read()
}

interface PatternOptions {
  readonly ignoreCase?: boolean
  /** `.` takes the ends of lines too. */
  readonly dotAll?: boolean
}

class Reader {
  readonly #source: string
  readonly #where: string
  readonly #options: PatternOptions
  #at = 0
  #depth = 0

  constructor(source: string, where: string, options: PatternOptions) {
    this.#source = source
    this.#where = where
    this.#options = options
  }

  read(): Pattern {
    const pattern = this.#choice()
    if (this.#at < this.#source.length) throw this.#refuse('unmatched )')
    return pattern
  }

  #choice(): Pattern {
    if (++this.#depth > MOST_NESTED) throw this.#refuse('nested too deeply')
    const parts = [this.#sequence()]
    while (this.#take('|')) parts.push(this.#sequence())
    this.#depth--
    return parts.length === 1 ? parts[0]! : { kind: 'choice', parts }
  }

  #sequence(): Pattern {
    const parts: Pattern[] = []
    while (this.#at < this.#source.length && !this.#sees('|') && !this.#sees(')')) parts.push(this.#term())
    return parts.length === 1 ? parts[0]! : { kind: 'sequence', parts }
  }

  #term(): Pattern {
    let pattern = this.#atom()
    for (let bounds = this.#bounds(); bounds !== undefined; bounds = this.#bounds()) {
      if (pattern.kind === 'start' || pattern.kind === 'end') throw this.#refuse('nothing to repeat')
      pattern = { kind: 'repeat', body: pattern, ...bounds }
    }
    return pattern
  }

  #atom(): Pattern {
    if (this.#take('^')) return { kind: 'start' }
    if (this.#take('$')) return { kind: 'end' }
    if (this.#take('.')) return { kind: 'set', set: this.#options.dotAll ? ANY_CODE_POINT : NOT_LINE_END }
    if (this.#take('(')) return this.#group()
    if (this.#take('[')) return { kind: 'set', set: this.#class() }
    if (this.#take('\\')) return { kind: 'set', set: this.#anyCase(this.#escape(false)) }
    if (/[*+?]/.test(this.#source[this.#at]!)) throw this.#refuse('nothing to repeat')
    return { kind: 'set', set: this.#anyCase(one(this.#point())) }
  }

  #anyCase(set: CodePoints): CodePoints {
    return this.#options.ignoreCase ? withBothCases(set) : set
  }

  #group(): Pattern {
    const look = ['?=', '?!'].find((start) => this.#take(start))
    if (look === undefined && !this.#take('?:') && this.#take('?')) this.#groupName()
    const body = this.#choice()
    if (!this.#take(')')) throw this.#refuse('unclosed (')
    return look === undefined ? body : { kind: 'look', body, negative: look === '?!' }
  }

  #groupName(): void {
    if (this.#sees('<=') || this.#sees('<!')) throw this.#refuse('lookbehind (?<=…) is not supported')
    const name = /^<[\p{ID_Start}$_][\p{ID_Continue}$]*>/u.exec(this.#source.slice(this.#at))
    if (name === null) throw this.#refuse('a group of this kind is not supported')
    this.#at += name[0].length
  }

  #bounds(): { min: number; max: number } | undefined {
    const bounds = this.#readBounds()
    if (bounds === undefined) return undefined
    // Lazy or not: which match is found first does not matter.
    this.#take('?')
    return bounds
  }

  #readBounds(): { min: number; max: number } | undefined {
    if (this.#take('*')) return { min: 0, max: UNBOUNDED }
    if (this.#take('+')) return { min: 1, max: UNBOUNDED }
    if (this.#take('?')) return { min: 0, max: 1 }
    const found = /^\{(\d+)(?:(,)(\d*))?\}/.exec(this.#source.slice(this.#at, this.#at + 40))
    if (found === null) return undefined
    const [text, least, comma, most] = found
    const min = Number(least)
    const max = comma === undefined ? min : most === '' ? UNBOUNDED : Number(most)
    if (min > max) throw this.#refuse('numbers out of order in {…}')
    if (min > MOST_REPEATS || (max > MOST_REPEATS && max !== UNBOUNDED))
      throw this.#refuse('a repeat too large')
    this.#at += text.length
    return { min, max }
  }

  #class(): CodePoints {
    const negative = this.#take('^')
    const sets: CodePoints[] = []
    while (!this.#take(']')) {
      if (this.#at >= this.#source.length) throw this.#refuse('unclosed [')
      const from = this.#classMember()
      if (!this.#sees('-') || this.#sees('-]') || this.#at + 1 >= this.#source.length) {
        sets.push(from)
        continue
      }
      this.#at++
      const to = this.#classMember()
      if (isOne(from) && isOne(to)) {
        if (from[0]! > to[0]!) throw this.#refuse('range out of order in […]')
        sets.push(normalize([[from[0]!, to[0]!]]))
      } else sets.push(from, one(0x2d), to)
    }
    const set = this.#anyCase(union(...sets))
    return negative ? complement(set) : set
  }

  #classMember(): CodePoints {
    return this.#take('\\') ? this.#escape(true) : one(this.#point())
  }

  #escape(inClass: boolean): CodePoints {
    if (this.#at >= this.#source.length) throw this.#refuse('\\ at the end')
    const char = String.fromCodePoint(this.#point())
    const letter = char.toLowerCase()
    if (letter === 'd' || letter === 'w' || letter === 's') {
      const set = letter === 'd' ? DIGIT : letter === 'w' ? WORD : SPACE
      return char === letter ? set : complement(set)
    }
    if (letter === 'p') return this.#property(char === 'P')
    if (char === 'b' && inClass) return one(8)
    if (letter === 'b')
      throw this.#refuse(`\\${char} is not supported`, 'spell out what stands at the border')
    if (char === 'k' || /[1-9]/.test(char)) throw this.#refuse('a reference to a group is not supported')
    return one(this.#character(char))
  }

  #character(char: string): number {
    const control = CONTROLS[char]
    if (control !== undefined) return control
    if (char === '0') return 0
    const rest = this.#source.slice(this.#at, this.#at + 12)
    const digits =
      char === 'c'
        ? /^[A-Za-z]/.exec(rest)
        : char === 'x'
          ? /^[\da-fA-F]{2}/.exec(rest)
          : char === 'u'
            ? /^(?:\{([\da-fA-F]{1,6})\}|[\da-fA-F]{4})/.exec(rest)
            : undefined
    if (digits === undefined) {
      if (/[A-Za-z]/.test(char)) throw this.#refuse(`\\${char} is unknown`)
      return char.codePointAt(0)!
    }
    if (digits === null) throw this.#refuse(`\\${char} without its digits`)
    this.#at += digits[0].length
    if (char === 'c') return digits[0].charCodeAt(0) & 31
    return this.#surrogates(Number.parseInt(digits[1] ?? digits[0], 16))
  }

  /** Two escapes of half a character each are one. */
  #surrogates(unit: number): number {
    if (unit > 0x10ffff) throw this.#refuse('no such character')
    if (unit < 0xd800 || unit > 0xdfff) return unit
    const low = /^\\u(d[c-f][\da-f]{2})/i.exec(this.#source.slice(this.#at, this.#at + 6))
    if (unit > 0xdbff || low === null) throw this.#refuse('half of a character')
    this.#at += low[0].length
    return String.fromCharCode(unit, Number.parseInt(low[1]!, 16)).codePointAt(0)!
  }

  #property(negative: boolean): CodePoints {
    const name = /^\{([^}]*)\}/.exec(this.#source.slice(this.#at, this.#at + 60))
    const set = name === null ? undefined : propertySet(name[1]!)
    if (set === undefined) throw this.#refuse('an unknown property in \\p{…}')
    this.#at += name![0].length
    return negative ? complement(set) : set
  }

  #point(): number {
    const point = this.#source.codePointAt(this.#at)!
    if (point >= 0xd800 && point <= 0xdfff) throw this.#refuse('half of a character')
    this.#at += point > 0xffff ? 2 : 1
    return point
  }

  #sees(text: string): boolean {
    return this.#source.startsWith(text, this.#at)
  }

  #take(text: string): boolean {
    if (!this.#sees(text)) return false
    this.#at += text.length
    return true
  }

  #refuse(what: string, hint?: string): Error {
    return refuse(this.#where, `position ${this.#at}: ${what}`, hint)
  }
}

function one(point: number): CodePoints {
  return [point, point]
}

function isOne(set: CodePoints): boolean {
  return set.length === 2 && set[0] === set[1]
}
