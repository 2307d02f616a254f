/** What every template may call: `range`, `namespace`, `raise_exception`, `strftime_now` and their like. */
import type { Clock } from '../clock.ts'
import { bind } from './arguments.ts'
import type { Budget } from './budget.ts'
import { strftime } from './strftime.ts'
import { TemplateError } from './template-error.ts'
import { type Arguments, Dict, iterate, Namespace, Sequence, Thing, type Value } from './values.ts'
import { integerOf, str } from './write.ts'

export function globalsOf(clock: Clock, budget: Budget): Map<string, Value> {
  const define = (name: string, call: (args: Arguments) => Value): [string, Value] => [
    name,
    new Thing('function', call),
  ]
  return new Map([
    define('range', (args) => range(args, budget)),
    define('namespace', ({ positional, named }) => new Namespace(textKeys(dictOf(positional, named)))),
    define('dict', ({ positional, named }) => dictOf(positional, named)),
    define('cycler', ({ positional }) => new Cycler(positional)),
    define('joiner', (args) => joiner(bind(args, 'joiner', ['sep'])[0])),
    define('raise_exception', (args) => {
      throw new TemplateError(str(bind(args, 'raise_exception', ['message'])[0] ?? null, budget))
    }),
    define('strftime_now', (args) =>
      strftime(clock, str(bind(args, 'strftime_now', ['format'])[0] ?? null, budget).slice(0, 10_000)),
    ),
  ])
}

const LONGEST_RANGE = 100_000

function range({ positional }: Arguments, budget: Budget): Value {
  const numbers = positional.map((value) => integerOf(value, 'a range'))
  const [start, end, step = 1] = numbers.length === 1 ? [0, numbers[0]!] : numbers
  if (start === undefined || end === undefined)
    throw new TemplateError('range expected at least 1 argument, got 0')
  if (step === 0) throw new TemplateError('range() arg 3 must not be zero')
  const count = Math.max(0, Math.ceil((end - start) / step))
  if (!(count <= LONGEST_RANGE)) throw new TemplateError(`range of more than ${LONGEST_RANGE} numbers`)
  budget.items(4 * count)
  const items = Array.from({ length: count }, (_, i) => BigInt(start + i * step))
  return new Sequence('range', items, `range(${start}, ${end}${step === 1 ? '' : `, ${step}`})`)
}

function dictOf(positional: readonly Value[], named: ReadonlyMap<string, Value>): Dict {
  const [source] = positional
  if (positional.length > 1)
    throw new TemplateError(`dict expected at most 1 argument, got ${positional.length}`)
  const entries =
    source === undefined ? [] : source instanceof Dict ? source.entries() : iterate(source).map(pairOf)
  return new Dict([...entries, ...named])
}

function pairOf(value: Value): readonly [Value, Value] {
  const [key, item, ...rest] = iterate(value)
  if (key === undefined || item === undefined || rest.length > 0)
    throw new TemplateError('a dictionary is made of pairs')
  return [key, item]
}

function textKeys(dict: Dict): ReadonlyMap<string, Value> {
  return new Map(
    dict.entries().filter((entry): entry is readonly [string, Value] => typeof entry[0] === 'string'),
  )
}

class Cycler extends Thing {
  readonly #items: readonly Value[]
  #at = 0

  constructor(items: readonly Value[]) {
    super('Cycler')
    if (items.length === 0) throw new TemplateError('at least one item has to be provided')
    this.#items = items
  }

  override attribute(name: string): Value | undefined {
    const current = this.#items[this.#at]!
    if (name === 'current') return current
    if (name === 'reset') return new Thing('method', () => this.#moveTo(0, null))
    if (name !== 'next') return undefined
    return new Thing('method', () =>
      this.#moveTo((this.#at + 1) % this.#items.length, this.#items[this.#at]!),
    )
  }

  #moveTo(at: number, value: Value): Value {
    this.#at = at
    return value
  }
}

/** Gives nothing the first time, then the separator. */
function joiner(separator: Value = ', '): Thing {
  let isUsed = false
  return new Thing('Joiner', () => {
    const value = isUsed ? separator : ''
    isUsed = true
    return value
  })
}
