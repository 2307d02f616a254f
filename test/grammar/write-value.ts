/** Values as a grammar wants them written: keys in an order that it takes, in a style. */
import { type Automaton, DEAD, type Place } from '../../src/grammar/parser/automaton.ts'

export interface WriteStyle {
  readonly colon: string
  readonly comma: string
  readonly indent: string | undefined
}

export const WRITE_STYLES: readonly WriteStyle[] = [
  { colon: ':', comma: ',', indent: undefined },
  { colon: ': ', comma: ', ', indent: undefined },
  { colon: ': ', comma: ',', indent: '  ' },
]

const MOST_STEPS = 20_000

/** Whether the grammar takes a value, written in a style. */
export function takesValue(automaton: Automaton, value: unknown, style: WriteStyle, schema = ''): boolean {
  const writer = new ValueWriter(automaton, style, schema)
  return automaton.isComplete(writer.write(automaton.start(), value, 0))
}

export class ValueWriter {
  readonly #automaton: Automaton
  readonly #style: WriteStyle
  /** Of the objects written, the keys in the order that was taken. */
  readonly #orders = new Map<object, string[]>()
  readonly #schema: string
  #steps = 0

  /** @param schema its text: keys are tried in the order in which it names them. */
  constructor(automaton: Automaton, style: WriteStyle, schema = '') {
    this.#automaton = automaton
    this.#style = style
    this.#schema = schema
  }

  write(place: Place, value: unknown, depth: number): Place {
    if (place === DEAD) return DEAD
    if (Array.isArray(value)) return this.#array(place, value, depth)
    if (typeof value === 'object' && value !== null) return this.#object(place, value, depth)
    const plain = this.#text(place, JSON.stringify(value))
    if (typeof value !== 'number' || plain !== DEAD) return plain
    return this.#text(place, withoutExponent(value))
  }

  /** The text of a value that the grammar takes, in one line. */
  text(value: unknown): string {
    this.write(this.#automaton.start(), value, 0)
    const ordered = (inner: unknown): unknown => {
      if (Array.isArray(inner)) return inner.map(ordered)
      if (typeof inner !== 'object' || inner === null) return inner
      const order = this.#orders.get(inner)?.slice(0, Object.keys(inner).length) ?? []
      return Object.fromEntries(order.map((key) => [key, ordered((inner as Record<string, unknown>)[key])]))
    }
    return JSON.stringify(ordered(value))
  }

  #text(place: Place, text: string): Place {
    let at = place
    for (const byte of Buffer.from(text)) at = this.#automaton.next(at, byte)
    return at
  }

  #array(place: Place, items: readonly unknown[], depth: number): Place {
    if (items.length === 0) return this.#text(place, '[]')
    let at = place
    items.forEach((item, i) => {
      at = this.#text(at, (i === 0 ? '[' : this.#style.comma) + this.#line(depth + 1))
      at = this.write(at, item, depth + 1)
    })
    return this.#text(at, `${this.#line(depth)}]`)
  }

  #object(place: Place, object: object, depth: number): Place {
    const rank = ([key]: readonly [string, unknown]) =>
      this.#schema.indexOf(`${JSON.stringify(key)}:`) + 1 || Infinity
    const members = Object.entries(object).sort((a, b) =>
      rank(a) > rank(b) ? 1 : rank(a) < rank(b) ? -1 : 0,
    )
    if (members.length === 0) return this.#text(place, '{}')
    const dead = new Set<string>()
    const search = (at: Place, left: readonly [string, unknown][]): Place => {
      if (left.length === 0) return this.#text(at, `${this.#line(depth)}}`)
      const key = `${at} ${left.map(([name]) => JSON.stringify(name)).join()}`
      if (dead.has(key) || ++this.#steps > MOST_STEPS) return DEAD
      const opened = ([name]: readonly [string, unknown], from: Place, comma: string) =>
        this.#text(from, comma + this.#line(depth + 1) + JSON.stringify(name) + this.#style.colon)
      const later: { written: Place; alive: number; member: readonly [string, unknown] }[] = []
      const goOn = (member: readonly [string, unknown], written: Place): Place => {
        const rest = left.filter((other) => other !== member)
        const end = search(written, rest)
        if (end === DEAD) return DEAD
        const order = this.#orders.get(object) ?? []
        this.#orders.set(object, order)
        order.unshift(member[0])
        return end
      }
      for (const member of left) {
        const comma = left.length === members.length ? '{' : this.#style.comma
        const written = this.write(opened(member, at, comma), member[1], depth + 1)
        if (written === DEAD) continue
        const others = left.filter((other) => other !== member)
        const alive = others.filter((other) => opened(other, written, this.#style.comma) !== DEAD).length
        if (alive < others.length) later.push({ written, alive, member })
        else {
          const end = goOn(member, written)
          if (end !== DEAD) return end
        }
      }
      // Members that others have to come before: those first after which the most can still come.
      for (const { member, written } of later.toSorted((a, b) => b.alive - a.alive)) {
        const end = goOn(member, written)
        if (end !== DEAD) return end
      }
      dead.add(key)
      return DEAD
    }
    return search(place, members)
  }

  #line(depth: number): string {
    return this.#style.indent === undefined ? '' : `\n${this.#style.indent.repeat(depth)}`
  }
}

function withoutExponent(value: number): string {
  const text = Number.isInteger(value) ? BigInt(value).toString() : value.toFixed(100).replace(/0+$/, '')
  return Number(text) === value ? text : String(value)
}
