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
export function takesValue(automaton: Automaton, value: unknown, style: WriteStyle): boolean {
  const writer = new ValueWriter(automaton, style)
  return automaton.isComplete(writer.write(automaton.start(), value, 0))
}

export class ValueWriter {
  readonly #automaton: Automaton
  readonly #style: WriteStyle
  /** Of the objects written, the keys in the order that was taken. */
  readonly #orders = new Map<object, string[]>()
  #steps = 0

  constructor(automaton: Automaton, style: WriteStyle) {
    this.#automaton = automaton
    this.#style = style
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
    const members = Object.entries(object)
    if (members.length === 0) return this.#text(place, '{}')
    const dead = new Set<string>()
    const search = (at: Place, left: readonly [string, unknown][]): Place => {
      if (left.length === 0) return this.#text(at, `${this.#line(depth)}}`)
      const key = `${at} ${left.map(([name]) => JSON.stringify(name)).join()}`
      if (dead.has(key) || ++this.#steps > MOST_STEPS) return DEAD
      const before = (left.length === members.length ? '{' : this.#style.comma) + this.#line(depth + 1)
      for (const member of left) {
        const opened = this.#text(at, before + JSON.stringify(member[0]) + this.#style.colon)
        const written = this.write(opened, member[1], depth + 1)
        if (written === DEAD) continue
        const end = search(
          written,
          left.filter((other) => other !== member),
        )
        if (end !== DEAD) {
          const order = this.#orders.get(object) ?? []
          this.#orders.set(object, order)
          order.unshift(member[0])
          return end
        }
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
