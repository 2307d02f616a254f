/** `object.name`, `object[key]` and `object[start:stop:step]`. */
import { bind, required } from './arguments.ts'
import { charactersOf } from './characters.ts'
import { isEqual } from './compare.ts'
import type { Context } from './context.ts'
import { TemplateError } from './template-error.ts'
import { characterAt, TEXT_METHODS } from './text-methods.ts'
import {
  type Arguments,
  Dict,
  listed,
  refuseUndefined,
  Sequence,
  Thing,
  Tuple,
  typeName,
  Undefined,
  type Value,
} from './values.ts'
import { integerOf, repr } from './write.ts'

/** Methods that would change what may not change. */
const UNSAFE: Readonly<Record<string, readonly string[]>> = {
  list: ['append', 'clear', 'extend', 'insert', 'pop', 'remove', 'reverse', 'sort'],
  dict: ['clear', 'pop', 'popitem', 'setdefault', 'update'],
}

export function getAttribute(object: Value, name: string, context: Context): Value {
  refuseUndefined(object)
  const attribute = attributeOf(object, name, context)
  if (attribute !== undefined) return attribute
  const item = itemOf(object, name, context)
  return item === undefined ? missing(object, name, context) : item
}

export function getItem(object: Value, key: Value, context: Context): Value {
  refuseUndefined(object)
  const item = itemOf(object, key, context)
  if (item !== undefined) return item
  const attribute = typeof key === 'string' ? attributeOf(object, key, context) : undefined
  return attribute === undefined ? missing(object, key, context) : attribute
}

function missing(object: Value, key: Value, { budget }: Context): Undefined {
  const type = object === null ? 'None' : `${typeName(object)} object`
  if (typeof key === 'string') return new Undefined(`'${type}' has no attribute '${key.slice(0, 80)}'`)
  return new Undefined(`${type} has no element ${repr(key, budget).slice(0, 80)}`)
}

function attributeOf(object: Value, name: string, context: Context): Value | undefined {
  if (object instanceof Thing) return object.attribute(name)
  const type = typeName(object)
  if (UNSAFE[type]?.includes(name))
    return new Undefined(`access to attribute '${name}' of '${type}' object is unsafe.`)
  if (object instanceof Tuple && object.names.includes(name)) return object.items[object.names.indexOf(name)]
  const method = methodOf(object, name, context)
  return method === undefined ? undefined : new Thing('builtin_function_or_method', method)
}

function methodOf(object: Value, name: string, context: Context): ((args: Arguments) => Value) | undefined {
  if (typeof object === 'string') {
    const method = TEXT_METHODS.get(name)
    return method && ((args) => method(object, args, context))
  }
  if (object instanceof Dict) return dictMethod(object, name, context)
  const isSequence =
    Array.isArray(object) ||
    object instanceof Tuple ||
    (object instanceof Sequence && object.kind === 'range')
  return isSequence ? listMethod(object, name, context) : undefined
}

function dictMethod(dict: Dict, name: string, { budget }: Context): ((args: Arguments) => Value) | undefined {
  const view = (kind: Sequence['kind'], list: () => readonly Value[]) => (args: Arguments) => {
    bind(args, name, [])
    budget.items(4 * dict.size)
    return new Sequence(kind, list())
  }
  switch (name) {
    case 'get':
      return (args) => {
        const [key, fallback = null] = bind(args, 'get', ['key', 'default'])
        const found = dict.get(required(key, 'get', 'key'))
        return found === undefined ? fallback : found
      }
    case 'keys':
      return view('dict_keys', () => dict.keys())
    case 'values':
      return view('dict_values', () => dict.values())
    case 'items':
      return view('dict_items', () => dict.entries().map((entry) => new Tuple(entry)))
    case 'copy':
      return () => dict
    default:
      return undefined
  }
}

function listMethod(
  list: Value,
  name: string,
  { budget }: Context,
): ((args: Arguments) => Value) | undefined {
  const items = listed(list)!
  if (name === 'copy' && Array.isArray(list)) return () => list
  if (name === 'count')
    return (args) => {
      const value = required(bind(args, name, ['value'])[0], name, 'value')
      return BigInt(items.filter((item) => isEqual(item, value, budget)).length)
    }
  if (name !== 'index') return undefined
  return (args) => {
    const value = required(bind(args, name, ['value'])[0], name, 'value')
    const at = items.findIndex((item) => isEqual(item, value, budget))
    if (at === -1) throw new TemplateError(`${repr(value, budget).slice(0, 80)} is not in list`)
    return BigInt(at)
  }
}

/** An item of a dictionary, a list or a text; `undefined` where there is none. */
function itemOf(object: Value, key: Value, context: Context): Value | undefined {
  if (object instanceof Dict) return Array.isArray(key) || key instanceof Dict ? undefined : object.get(key)
  if (typeof key !== 'bigint' && typeof key !== 'boolean') return undefined
  const place = Number(key)
  if (typeof object === 'string') return characterAt(object, place, context)
  const hasItems =
    Array.isArray(object) || object instanceof Tuple || (object instanceof Sequence && isIndexed(object))
  return hasItems ? listed(object)!.at(place) : undefined
}

/** Python's views and generators have no places; ours may stand for a list that a filter of the reference gives. */
function isIndexed({ kind }: Sequence): boolean {
  return kind === 'range' || kind === 'generator'
}

interface SliceBounds {
  readonly start: Value
  readonly stop: Value
  readonly step: Value
}

export function getSlice(object: Value, bounds: SliceBounds, { budget }: Context): Value {
  refuseUndefined(object, bounds.start, bounds.stop, bounds.step)
  if (typeof object === 'string') {
    if (bounds.step !== null) budget.spend(object.length)
    const part = cut(charactersOf(object, budget), bounds)
    return typeof part === 'string' ? part : part.join('')
  }
  const items = listed(object)
  if (items === undefined || (object instanceof Sequence && !isIndexed(object)))
    return new Undefined(`${typeName(object)} object has no slices`)
  budget.items(items.length)
  if (bounds.step !== null) budget.spend(items.length)
  const part = cut(items, bounds) as Value[]
  return object instanceof Tuple ? new Tuple(part) : part
}

function cut<T extends string | readonly unknown[]>(
  items: T,
  { start, stop, step }: SliceBounds,
): string | unknown[] {
  const stride = step === null ? 1 : integerOf(step, 'a slice step')
  if (stride === 0) throw new TemplateError('slice step cannot be zero')
  const { length } = items
  const [low, high] = stride > 0 ? [0, length] : [-1, length - 1]
  const place = (value: Value, fallback: number): number => {
    if (value === null) return fallback
    const at = integerOf(value, 'a slice index')
    return Math.min(high, Math.max(low, at < 0 ? at + length : at))
  }
  const from = place(start, stride > 0 ? low : high)
  const to = place(stop, stride > 0 ? high : low)
  if (stride === 1) return items.slice(from, Math.max(from, to)) as string | unknown[]
  const chosen: unknown[] = []
  for (let at = from; stride > 0 ? at < to : at > to; at += stride) chosen.push(items[at])
  return typeof items === 'string' ? chosen.join('') : chosen
}
