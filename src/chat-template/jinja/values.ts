/**
 * Values of a running template, as Python has them: `bigint` is `int`, `number` is `float`, `string` is `str`, an array is a
 * `list`. None of them is ever changed but a namespace: the reference runs templates in a sandbox that forbids it.
 */
import { TemplateError } from './template-error.ts'

export type Value =
  | null
  | boolean
  | bigint
  | number
  | string
  | Value[]
  | Tuple
  | Dict
  | Sequence
  | Undefined
  | Thing

/** A list that Python writes in parentheses. */
export class Tuple {
  readonly items: readonly Value[]
  /** Of its items, where they have any: what `groupby` gives are named pairs. */
  readonly names: readonly string[]

  constructor(items: readonly Value[], names: readonly string[] = []) {
    this.items = items
    this.names = names
  }
}

/** What a name stands for that has no value; it may be tested, written and gone through, and nothing else. */
export class Undefined {
  /** What is wrong with it, for whoever uses it. */
  readonly complaint: string

  constructor(complaint: string) {
    this.complaint = complaint
  }
}

/** What Python makes piece by piece: a range, the keys of a dictionary, what a filter lets through. */
export class Sequence {
  readonly kind: 'range' | 'dict_keys' | 'dict_values' | 'dict_items' | 'generator'
  readonly items: readonly Value[]
  /** How it is written, if not as its items. */
  readonly written: string | undefined

  constructor(kind: Sequence['kind'], items: readonly Value[], written?: string) {
    this.kind = kind
    this.items = items
    this.written = written
  }
}

/** A `dict`: keys are any values that cannot change, and 1, 1.0 and true are one key. */
export class Dict {
  readonly #entries = new Map<unknown, readonly [key: Value, value: Value]>()

  constructor(entries: Iterable<readonly [Value, Value]> = []) {
    for (const [key, value] of entries) {
      const before = this.#entries.get(keyOf(key))
      this.#entries.set(keyOf(key), [before === undefined ? key : before[0], value])
    }
  }

  get size(): number {
    return this.#entries.size
  }

  get(key: Value): Value | undefined {
    return this.#entries.get(keyOf(key))?.[1]
  }

  has(key: Value): boolean {
    return this.#entries.has(keyOf(key))
  }

  keys(): Value[] {
    return [...this.#entries.values()].map(([key]) => key)
  }

  values(): Value[] {
    return [...this.#entries.values()].map(([, value]) => value)
  }

  entries(): (readonly [Value, Value])[] {
    return [...this.#entries.values()]
  }
}

/** What is the same for keys that Python finds equal. @throws TemplateError of what may change, and so is no key. */
export function keyOf(value: Value): unknown {
  if (typeof value === 'string') return value
  if (typeof value === 'boolean') return BigInt(value)
  if (typeof value === 'number') return Number.isInteger(value) ? BigInt(value) : value
  if (value instanceof Tuple)
    return `\0${value.items.map((item) => `${typeof keyOf(item)}${String(keyOf(item))}`).join('\0')}`
  if (value instanceof Undefined) return Undefined
  if (Array.isArray(value) || value instanceof Dict)
    throw new TemplateError(`unhashable type: '${typeName(value)}'`)
  return value
}

export interface Arguments {
  readonly positional: readonly Value[]
  readonly named: ReadonlyMap<string, Value>
}

/** Functions, loops, namespaces: what has attributes or may be called. */
export class Thing {
  /** As Python calls its type. */
  readonly typeName: string
  readonly call: ((args: Arguments) => Value) | undefined

  constructor(typeName: string, call?: (args: Arguments) => Value) {
    this.typeName = typeName
    this.call = call
  }

  attribute(_name: string): Value | undefined {
    return undefined
  }
}

/** The one thing that a template may change. */
export class Namespace extends Thing {
  readonly variables: Map<string, Value>

  constructor(variables: ReadonlyMap<string, Value>) {
    super('Namespace')
    this.variables = new Map(variables)
  }

  override attribute(name: string): Value | undefined {
    return this.variables.get(name)
  }
}

/** The type, as Python names it. */
export function typeName(value: Value): string {
  switch (typeof value) {
    case 'boolean':
      return 'bool'
    case 'bigint':
      return 'int'
    case 'number':
      return 'float'
    case 'string':
      return 'str'
    default:
      return objectType(value)
  }
}

function objectType(value: Exclude<Value, boolean | bigint | number | string>): string {
  if (value === null) return 'NoneType'
  if (Array.isArray(value)) return 'list'
  if (value instanceof Tuple) return 'tuple'
  if (value instanceof Dict) return 'dict'
  if (value instanceof Sequence) return value.kind
  return value instanceof Undefined ? 'Undefined' : value.typeName
}

export function isTrue(value: Value): boolean {
  if (value === null || value instanceof Undefined) return false
  if (value instanceof Dict) return value.size > 0
  if (value instanceof Thing) return true
  const items = listed(value)
  return items === undefined
    ? Boolean(value)
    : items.length > 0 || (value instanceof Sequence && value.kind === 'generator')
}

/** The items of what holds them in order; `undefined` of all else, texts and dictionaries too. */
export function listed(value: Value): readonly Value[] | undefined {
  if (Array.isArray(value)) return value
  return value instanceof Tuple || value instanceof Sequence ? value.items : undefined
}

/** What a loop over a value goes through. @throws TemplateError where Python would not. */
export function iterate(value: Value): readonly Value[] {
  if (typeof value === 'string') return Array.from(value)
  if (value instanceof Dict) return value.keys()
  if (value instanceof Undefined) return []
  const items = listed(value)
  if (items === undefined) throw new TemplateError(`'${typeName(value)}' object is not iterable`)
  return items
}

/** A value where there is one. `None` is one. */
export function orUndefined(value: Value | undefined, complaint: string): Value {
  return value === undefined ? new Undefined(complaint) : value
}

/** Refuses what has no value. */
export function refuseUndefined(...values: readonly Value[]): void {
  for (const value of values) if (value instanceof Undefined) throw new TemplateError(value.complaint)
}
