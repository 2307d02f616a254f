/** Filters that make a text of one: each takes any value, and writes it first. */
import { bind, required } from './arguments.ts'
import { lengthOf } from './characters.ts'
import type { Context } from './context.ts'
import { formatPercent } from './format-percent.ts'
import { toJson } from './json.ts'
import { replace, rsplit, splitLines, strip } from './split-text.ts'
import { TemplateError } from './template-error.ts'
import { capitalize, titleFilter } from './text-case.ts'
import {
  type Arguments,
  Dict,
  isTrue,
  iterate,
  listed,
  refuseUndefined,
  Tuple,
  typeName,
  Undefined,
  type Value,
} from './values.ts'
import { integerOf, repr, str } from './write.ts'

export type Filter = (value: Value, args: Arguments, context: Context) => Value

const onText =
  (work: (text: string) => Value, cost = 0): Filter =>
  (value, args, { budget }) => {
    bind(args, 'filter', [])
    const text = str(value, budget)
    budget.items(text.length)
    budget.spend(cost * text.length)
    return work(text)
  }

const same: Filter = (value, _, { budget }) => str(value, budget)
const escaped = onText((text) => text.replace(/[&<>'"]/g, (char) => ESCAPES[char]!))

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  "'": '&#39;',
  '"': '&#34;',
}

export const TEXT_FILTERS: ReadonlyMap<string, Filter> = new Map<string, Filter>([
  ['upper', onText((text) => text.toUpperCase())],
  ['lower', onText((text) => text.toLowerCase())],
  ['capitalize', onText(capitalize)],
  ['title', onText(titleFilter, 1)],
  ['string', same],
  ['safe', same],
  ['escape', escaped],
  ['e', escaped],
  ['forceescape', escaped],
  ['wordcount', onText((text) => BigInt(text.match(/[\p{L}\p{N}_]+/gu)?.length ?? 0))],
  ['urlencode', urlEncode],
  ['trim', trim],
  ['replace', replaceFilter],
  ['indent', indent],
  ['truncate', truncate],
  ['center', center],
  ['format', format],
  ['pprint', (value, _, { budget }) => repr(value, budget)],
  ['tojson', tojson],
])

/** Of a filter that takes nothing else. */
function textOf(value: Value, filter: string): string {
  refuseUndefined(value)
  if (typeof value !== 'string')
    throw new TemplateError(`${filter}: a text is required, not ${typeName(value)}`)
  return value
}

function trim(value: Value, args: Arguments, { budget }: Context): Value {
  const [chars] = bind(args, 'trim', ['chars'])
  const only = chars === undefined || chars === null ? undefined : str(chars, budget)
  return strip(str(value, budget), only, { side: 'both', budget })
}

function replaceFilter(value: Value, args: Arguments, { budget }: Context): Value {
  const [old, fresh, count] = bind(args, 'replace', ['old', 'new', 'count'])
  const pair = [
    str(required(old, 'replace', 'old'), budget),
    str(required(fresh, 'replace', 'new'), budget),
  ] as const
  const most = count === undefined || count === null ? -1 : integerOf(count, 'a count')
  return replace(str(value, budget), pair, most, budget)
}

function indent(value: Value, args: Arguments, { budget }: Context): Value {
  const [width = 4n, first = false, blank = false] = bind(args, 'indent', ['width', 'first', 'blank'])
  const text = textOf(value, 'indent')
  // Python's way to make splitlines() give the last line, and it does not where the text ends with a line end.
  const lines = splitLines(`${text}\n`, false, budget)
  const count = typeof width === 'string' ? width.length : integerOf(width, 'a width')
  budget.text(text.length + Math.max(0, count) * lines.length)
  const space = typeof width === 'string' ? width : ' '.repeat(Math.max(0, count))
  const rest = lines.slice(1).map((line) => (line !== '' || isTrue(blank) ? space + line : line))
  return (isTrue(first) ? space : '') + [lines[0]!, ...rest].join('\n')
}

function truncate(value: Value, args: Arguments, context: Context): Value {
  const { budget } = context
  const names = ['length', 'killwords', 'end', 'leeway']
  const [length = 255n, kill = false, end = '...', leeway] = bind(args, 'truncate', names)
  const tail = str(end, budget)
  const most = integerOf(length, 'a length')
  const spare = leeway === undefined || leeway === null ? 5 : integerOf(leeway, 'a leeway')
  if (most < Array.from(tail).length || spare < 0)
    throw new TemplateError('truncate: the length is too short')
  if (Number(lengthFilter(value, args, context)) <= most + spare) return value
  const text = Array.from(textOf(value, 'truncate'))
  budget.items(text.length)
  const head = text.slice(0, most - Array.from(tail).length).join('')
  return (isTrue(kill) ? head : rsplit(head, ' ', 1, budget)[0]!) + tail
}

function center(value: Value, args: Arguments, context: Context): Value {
  const [width = 80n] = bind(args, 'center', ['width'])
  const text = str(value, context.budget)
  const total = integerOf(width, 'a width')
  context.budget.text(total)
  const room = Math.max(0, total - lengthOf(text, context.budget))
  const left = (room >> 1) + (room & total & 1)
  return ' '.repeat(left) + text + ' '.repeat(room - left)
}

function format(value: Value, { positional, named }: Arguments, { budget }: Context): Value {
  if (positional.length > 0 && named.size > 0)
    throw new TemplateError("can't handle positional and keyword arguments at the same time")
  return formatPercent(str(value, budget), named.size > 0 ? new Dict(named) : new Tuple(positional), budget)
}

function tojson(value: Value, args: Arguments, { budget }: Context): Value {
  const [ensureAscii = false, indent = null, separators = null, sortKeys = false] = bind(args, 'tojson', [
    'ensure_ascii',
    'indent',
    'separators',
    'sort_keys',
  ])
  const options = {
    ensureAscii: isTrue(ensureAscii),
    indent: indentOf(indent, budget),
    separators: separatorsOf(separators, indent),
    sortKeys: isTrue(sortKeys),
  }
  return toJson(value, options, budget)
}

function indentOf(indent: Value, budget: Context['budget']): string | undefined {
  if (indent === null || typeof indent === 'string') return indent ?? undefined
  const width = Math.max(0, integerOf(indent, 'an indent'))
  budget.text(width)
  return ' '.repeat(width)
}

function separatorsOf(separators: Value, indent: Value): readonly [string, string] {
  if (separators === null) return [indent === null ? ', ' : ',', ': ']
  const [item, key] = listed(separators) ?? []
  if (typeof item !== 'string' || typeof key !== 'string' || listed(separators)!.length !== 2)
    throw new TemplateError('separators must be a tuple of two texts')
  return [item, key]
}

function urlEncode(value: Value, args: Arguments, { budget }: Context): Value {
  bind(args, 'urlencode', [])
  const quote = (text: string, kept: RegExp): string => {
    budget.items(text.length)
    return encodeURIComponent(text)
      .replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)
      .replace(kept, '/')
  }
  if (typeof value === 'string' || (listed(value) === undefined && !(value instanceof Dict)))
    return quote(str(value, budget), /%2F/g)
  const pairs = value instanceof Dict ? value.entries() : iterate(value).map(pairOf)
  const part = (item: Value | undefined) =>
    quote(str(item === undefined ? '' : item, budget), /(?!)/g).replaceAll('%20', '+')
  return pairs.map((pair) => `${part(pair[0])}=${part(pair[1])}`).join('&')
}

function pairOf(value: Value): readonly Value[] {
  const pair = iterate(value)
  if (pair.length !== 2) throw new TemplateError('urlencode: pairs are required')
  return pair
}

/** What a value that has no items of its own is refused with. */
export function lengthFilter(value: Value, _: Arguments, { budget }: Context): Value {
  if (typeof value === 'string') return BigInt(lengthOf(value, budget))
  if (value instanceof Dict) return BigInt(value.size)
  if (value instanceof Undefined) return 0n
  const items = listed(value)
  if (items === undefined) throw new TemplateError(`object of type '${typeName(value)}' has no len()`)
  return BigInt(items.length)
}
