/** Filters that choose from, order and join what a value holds. */
import { bind, required } from './arguments.ts'
import { calculate } from './arithmetic.ts'
import { charactersOf } from './characters.ts'
import { isEqual, order } from './compare.ts'
import type { Context } from './context.ts'
import { TemplateError } from './template-error.ts'
import { type Filter, lengthFilter } from './text-filters.ts'
import {
  type Arguments,
  Dict,
  isTrue,
  iterate,
  keyOf,
  listed,
  orUndefined,
  Sequence,
  Tuple,
  Undefined,
  type Value,
} from './values.ts'
import { integerOf, str } from './write.ts'

export const LIST_FILTERS: ReadonlyMap<string, Filter> = new Map<string, Filter>([
  ['length', lengthFilter],
  ['count', lengthFilter],
  ['list', (value, _, { budget }) => [...itemsOf(value, budget)]],
  [
    'first',
    (value, _, { budget }) => orUndefined(itemsOf(value, budget)[0], 'No first item, sequence was empty.'),
  ],
  [
    'last',
    (value, _, { budget }) => orUndefined(itemsOf(value, budget).at(-1), 'No last item, sequence was empty.'),
  ],
  // The same choice each time: a prompt does not hang on chance.
  [
    'random',
    (value, _, { budget }) => orUndefined(itemsOf(value, budget)[0], 'No random item, sequence was empty.'),
  ],
  ['reverse', reverse],
  ['join', join],
  ['items', items],
  ['dictsort', dictSort],
  ['sort', sort],
  ['unique', unique],
  ['min', extreme(-1)],
  ['max', extreme(1)],
  ['sum', sum],
  ['map', map],
  ['select', select(true, false)],
  ['reject', select(false, false)],
  ['selectattr', select(true, true)],
  ['rejectattr', select(false, true)],
  ['groupby', groupBy],
  ['batch', batch],
  ['slice', slice],
  [
    'attr',
    (value, args, { getAttribute }) =>
      getAttribute(value, nameOf(args.positional[0] ?? args.named.get('name'))),
  ],
  ['default', fallback],
  ['d', fallback],
])

function itemsOf(value: Value, budget: Context['budget']): readonly Value[] {
  if (typeof value === 'string') budget.items(value.length)
  const found = iterate(value)
  budget.items(found.length)
  return found
}

function nameOf(value: Value | undefined): string {
  if (typeof value !== 'string') throw new TemplateError('the name of an attribute must be a text')
  return value
}

function fallback(value: Value, args: Arguments): Value {
  const [other = '', boolean = false] = bind(args, 'default', ['default_value', 'boolean'])
  return value instanceof Undefined || (isTrue(boolean) && !isTrue(value)) ? other : value
}

function reverse(value: Value, _: Arguments, { budget }: Context): Value {
  if (typeof value === 'string') return Array.from(charactersOf(value, budget)).reverse().join('')
  return new Sequence('generator', itemsOf(value, budget).toReversed())
}

function items(value: Value, _: Arguments, { budget }: Context): Value {
  if (value instanceof Undefined) return new Sequence('generator', [])
  if (!(value instanceof Dict)) throw new TemplateError('Can only get item pairs from a mapping.')
  budget.items(4 * value.size)
  return new Sequence(
    'generator',
    value.entries().map((entry) => new Tuple(entry)),
  )
}

function join(value: Value, args: Arguments, context: Context): Value {
  const { budget } = context
  const [separator = '', attribute = null] = bind(args, 'join', ['d', 'attribute'])
  const get = attributeGetter(attribute, context)
  const items = itemsOf(value, budget)
  budget.spend(items.length)
  const parts = items.map((item) => str(get(item), budget))
  const mark = str(separator, budget)
  budget.text(parts.reduce((length, part) => length + part.length + mark.length, 0))
  return parts.join(mark)
}

type Getter = (item: Value) => Value

/** The way from an item to what it is judged by: `a.b.0`, or the item itself. */
function attributeGetter(attribute: Value | undefined, { getItem }: Context, missing?: Value): Getter {
  if (attribute === null || attribute === undefined) return (item) => item
  const path = typeof attribute === 'string' ? attribute.split('.').map(stepOf) : [attribute]
  return (item) =>
    path.reduce<Value>((value, step) => {
      const found = getItem(value, step)
      return found instanceof Undefined && missing !== undefined && missing !== null ? missing : found
    }, item)
}

function stepOf(part: string): Value {
  return /^\d+$/.test(part) ? BigInt(part) : part
}

function lowered(value: Value, caseSensitive: Value): Value {
  return typeof value === 'string' && !isTrue(caseSensitive) ? value.toLowerCase() : value
}

/** Sorted by a key that is found once for each item; equal ones keep their order. */
function sorted<T>(
  list: readonly T[],
  key: (item: T) => Value,
  { reverse: backwards, budget }: { reverse: boolean; budget: Context['budget'] },
): T[] {
  budget.spend(8 * list.length)
  const keyed = list.map((item) => ({ item, key: key(item) }))
  const sign = backwards ? -1 : 1
  return keyed.sort((a, b) => sign * order(a.key, b.key, budget)).map(({ item }) => item)
}

function dictSort(value: Value, args: Arguments, { budget }: Context): Value {
  const [caseSensitive = false, by = 'key', backwards = false] = bind(args, 'dictsort', [
    'case_sensitive',
    'by',
    'reverse',
  ])
  if (by !== 'key' && by !== 'value') throw new TemplateError('You can only sort by either "key" or "value"')
  if (!(value instanceof Dict)) throw new TemplateError('only a mapping can be sorted by dictsort')
  const place = by === 'key' ? 0 : 1
  const key = (entry: readonly [Value, Value]) => lowered(entry[place], caseSensitive)
  return sorted(value.entries(), key, { reverse: isTrue(backwards), budget }).map((entry) => new Tuple(entry))
}

function sort(value: Value, args: Arguments, context: Context): Value {
  const [backwards = false, caseSensitive = false, attribute = null] = bind(args, 'sort', [
    'reverse',
    'case_sensitive',
    'attribute',
  ])
  const parts = typeof attribute === 'string' ? attribute.split(',') : [attribute]
  const getters = parts.map((part) => attributeGetter(part, context))
  const key = (item: Value): Value => getters.map((get) => lowered(get(item), caseSensitive))
  return sorted(itemsOf(value, context.budget), key, { reverse: isTrue(backwards), budget: context.budget })
}

function unique(value: Value, args: Arguments, context: Context): Value {
  const [caseSensitive = false, attribute] = bind(args, 'unique', ['case_sensitive', 'attribute'])
  const get = attributeGetter(attribute, context)
  const seen = new Set<unknown>()
  const kept = itemsOf(value, context.budget).filter((item) => {
    const key = keyOf(lowered(get(item), caseSensitive))
    const isNew = !seen.has(key)
    seen.add(key)
    return isNew
  })
  return new Sequence('generator', kept)
}

function extreme(sign: number): Filter {
  return (value, args, context) => {
    const [caseSensitive = false, attribute] = bind(args, 'min', ['case_sensitive', 'attribute'])
    const get = attributeGetter(attribute, context)
    let best: { item: Value; key: Value } | undefined
    for (const item of itemsOf(value, context.budget)) {
      const key = lowered(get(item), caseSensitive)
      if (best === undefined || sign * order(key, best.key, context.budget) > 0) best = { item, key }
    }
    return orUndefined(best?.item, 'No aggregated item, sequence was empty.')
  }
}

function sum(value: Value, args: Arguments, context: Context): Value {
  const [attribute, start = 0n] = bind(args, 'sum', ['attribute', 'start'])
  if (typeof start === 'string') throw new TemplateError("sum() can't sum strings")
  const get = attributeGetter(attribute, context)
  return itemsOf(value, context.budget).reduce<Value>(
    (all, item) => calculate('+', all, get(item), context.budget),
    start,
  )
}

function map(value: Value, { positional, named }: Arguments, context: Context): Value {
  if (positional.length === 0 && named.has('attribute')) {
    const [attribute, missing] = bind({ positional, named }, 'map', ['attribute', 'default'])
    const get = attributeGetter(attribute, context, missing)
    return new Sequence('generator', itemsOf(value, context.budget).map(get))
  }
  const [name, ...rest] = positional
  if (name === undefined) throw new TemplateError('map requires a filter argument')
  const args = { positional: rest, named }
  return new Sequence(
    'generator',
    itemsOf(value, context.budget).map((item) => context.applyFilter(nameOf(name), item, args)),
  )
}

function select(wanted: boolean, byAttribute: boolean): Filter {
  return (value, { positional, named }, context) => {
    if (!isTrue(value)) return new Sequence('generator', [])
    if (byAttribute && positional.length === 0)
      throw new TemplateError('Missing parameter for attribute name')
    const get = attributeGetter(byAttribute ? positional[0] : undefined, context)
    const [name, ...rest] = positional.slice(byAttribute ? 1 : 0)
    const args = { positional: rest, named }
    const holds = (item: Value): boolean =>
      name === undefined ? isTrue(item) : context.applyTest(nameOf(name), item, args)
    const kept = itemsOf(value, context.budget).filter((item) => holds(get(item)) === wanted)
    return new Sequence('generator', kept)
  }
}

function groupBy(value: Value, args: Arguments, context: Context): Value {
  const { budget } = context
  const [attribute, missing, caseSensitive = false] = bind(args, 'groupby', [
    'attribute',
    'default',
    'case_sensitive',
  ])
  const get = attributeGetter(required(attribute, 'groupby', 'attribute'), context, missing)
  const key = (item: Value): Value => lowered(get(item), caseSensitive)
  const groups: { key: Value; list: Value[] }[] = []
  for (const item of sorted(itemsOf(value, budget), key, { reverse: false, budget })) {
    const last = groups.at(-1)
    if (last !== undefined && isEqual(last.key, key(item), budget)) last.list.push(item)
    else groups.push({ key: key(item), list: [item] })
  }
  return groups.map(({ list }) => new Tuple([get(list[0]!), list], ['grouper', 'list']))
}

function batch(value: Value, args: Arguments, { budget }: Context): Value {
  const [count, fill = null] = bind(args, 'batch', ['linecount', 'fill_with'])
  const size = Math.max(1, integerOf(required(count, 'batch', 'linecount'), 'a count'))
  const all = itemsOf(value, budget)
  const batches: Value[] = []
  for (let at = 0; at < all.length; at += size) batches.push(all.slice(at, at + size))
  const last = batches.at(-1) as Value[] | undefined
  if (last !== undefined && fill !== null && last.length < size) {
    budget.items(size)
    while (last.length < size) last.push(fill)
  }
  return new Sequence('generator', batches)
}

function slice(value: Value, args: Arguments, { budget }: Context): Value {
  const [count, fill = null] = bind(args, 'slice', ['slices', 'fill_with'])
  const slices = integerOf(required(count, 'slice', 'slices'), 'a count')
  const all = itemsOf(value, budget)
  if (slices === 0) throw new TemplateError('division by zero')
  budget.items(4 * slices)
  const size = Math.floor(all.length / slices)
  const extra = all.length % slices
  const parts = Array.from({ length: Math.max(0, slices) }, (_, i): Value[] => {
    const start = i * size + Math.min(i, extra)
    const part = all.slice(start, start + size + (i < extra ? 1 : 0))
    return fill !== null && i >= extra ? [...part, fill] : part
  })
  return new Sequence('generator', parts)
}

/** All items of a value, as a caller with a spread needs them. */
export function spreadItems(value: Value, budget: Context['budget']): readonly Value[] {
  return listed(value) ?? itemsOf(value, budget)
}
