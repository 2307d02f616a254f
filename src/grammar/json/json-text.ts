/** JSON as it stands in a text: keys in their order, numbers exact, each error with its place. */

import { refuse } from '../regex/refuse.ts'
import { Decimal } from './decimal.ts'

export type JsonObject = ReadonlyMap<string, Json>
export type Json = null | boolean | string | Decimal | readonly Json[] | JsonObject

/** Values in values: what is deeper is refused, before anything has to follow it. */
const MOST_LEVELS = 500

export function isObject(value: Json | undefined): value is JsonObject {
  return value instanceof Map
}

export function isArray(value: Json | undefined): value is readonly Json[] {
  return Array.isArray(value)
}

/** @throws SpoutError `usage`, with line and column. */
export function parseJson(text: string, where: string): Json {
  return new Parser(text, where).parse()
}

class Parser {
  readonly #text: string
  readonly #where: string
  #at = 0
  #level = 0

  constructor(text: string, where: string) {
    this.#text = text
    this.#where = where
  }

  parse(): Json {
    const value = this.#value()
    this.#space()
    if (this.#at < this.#text.length) throw this.#refuse('text after the end of the JSON')
    return value
  }

  #value(): Json {
    this.#space()
    const char = this.#text[this.#at]
    if (char === '{') return this.#nested(() => this.#object())
    if (char === '[') return this.#nested(() => this.#array())
    if (char === '"') return this.#string()
    for (const [word, value] of WORDS) if (this.#take(word)) return value
    return this.#number()
  }

  #nested<T>(read: () => T): T {
    if (++this.#level > MOST_LEVELS) throw this.#refuse(`nested deeper than ${MOST_LEVELS} levels`)
    this.#at++
    const value = read()
    this.#level--
    return value
  }

  #object(): JsonObject {
    const object = new Map<string, Json>()
    this.#space()
    if (this.#take('}')) return object
    do {
      this.#space()
      if (this.#text[this.#at] !== '"') throw this.#refuse('a key in quotes is missing')
      const key = this.#string()
      this.#space()
      this.#expect(':')
      object.set(key, this.#value())
      this.#space()
    } while (this.#take(','))
    this.#expect('}')
    return object
  }

  #array(): Json[] {
    const array: Json[] = []
    this.#space()
    if (this.#take(']')) return array
    do {
      array.push(this.#value())
      this.#space()
    } while (this.#take(','))
    this.#expect(']')
    return array
  }

  #string(): string {
    STRING.lastIndex = this.#at
    const found = STRING.exec(this.#text)
    if (found === null) throw this.#refuse('a string that is not closed, or not well formed')
    this.#at = STRING.lastIndex
    return JSON.parse(found[0]) as string
  }

  #number(): Decimal {
    NUMBER.lastIndex = this.#at
    const found = NUMBER.exec(this.#text)
    if (found === null) throw this.#refuse('this is no JSON')
    this.#at = NUMBER.lastIndex
    const value = Decimal.parse(found[0])
    if (value === undefined) throw this.#refuse('a number out of all bounds')
    return value
  }

  #space(): void {
    if (this.#text.charCodeAt(this.#at) > 0x20) return
    SPACE.lastIndex = this.#at
    SPACE.exec(this.#text)
    this.#at = SPACE.lastIndex
  }

  #take(text: string): boolean {
    if (!this.#text.startsWith(text, this.#at)) return false
    this.#at += text.length
    return true
  }

  #expect(char: string): void {
    if (!this.#take(char)) throw this.#refuse(`${char} is missing`)
  }

  #refuse(what: string): Error {
    const before = this.#text.slice(0, this.#at).split('\n')
    return refuse(this.#where, `line ${before.length}, column ${before.at(-1)!.length + 1}: ${what}`)
  }
}

const WORDS = [
  ['null', null],
  ['true', true],
  ['false', false],
] as const
const STRING = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[\da-fA-F]{4}))*"/y
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y
const SPACE = /[ \t\n\r]*/y

/** The same value, numbers by what they are worth and keys in any order. */
export function isEqual(a: Json, b: Json): boolean {
  if (a instanceof Decimal) return b instanceof Decimal && a.compare(b) === 0
  if (isArray(a)) return isArray(b) && a.length === b.length && a.every((item, i) => isEqual(item, b[i]!))
  if (isObject(a)) {
    if (!isObject(b) || a.size !== b.size) return false
    return [...a].every(([key, value]) => b.has(key) && isEqual(value, b.get(key)!))
  }
  return a === b
}
