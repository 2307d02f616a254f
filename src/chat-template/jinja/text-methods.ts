/** The methods of texts, by name. One that is not here has no value, as a name that was never given. */
import { bind, required } from './arguments.ts'
import { charactersBefore, charactersOf, hasPairs, lengthOf } from './characters.ts'
import type { Context } from './context.ts'
import { formatBraces } from './format-braces.ts'
import { countOf, replace, rsplit, split, splitLines, strip } from './split-text.ts'
import { TemplateError } from './template-error.ts'
import { capitalize, isLower, isUpper, swapCase, titleWords } from './text-case.ts'
import { type Arguments, iterate, Tuple, typeName, type Value } from './values.ts'
import { isSpace } from './white-space.ts'
import { integerOf } from './write.ts'

type Method = (text: string, args: Arguments, context: Context) => Value

/** A method of no arguments that reads each character once. */
const plain =
  (work: (text: string) => Value, cost = 0): Method =>
  (text, args, { budget }) => {
    bind(args, 'method', [])
    budget.items(text.length)
    budget.spend(cost * (text.length >> 1))
    return work(text)
  }

const matching = (pattern: RegExp): Method => plain((text) => pattern.test(text))

export const TEXT_METHODS: ReadonlyMap<string, Method> = new Map<string, Method>([
  ['upper', plain((text) => text.toUpperCase())],
  ['lower', plain((text) => text.toLowerCase())],
  ['casefold', plain((text) => text.toLowerCase().replaceAll('ß', 'ss').replaceAll('ς', 'σ'))],
  ['title', plain(titleWords, 2)],
  ['capitalize', plain(capitalize)],
  ['swapcase', plain(swapCase, 2)],
  ['islower', plain(isLower)],
  ['isupper', plain(isUpper)],
  ['istitle', plain((text) => /\p{Cased}/u.test(text) && titleWords(text) === text)],
  ['isspace', plain((text) => text !== '' && Array.from(text).every(isSpace))],
  ['isalpha', matching(/^\p{L}+$/u)],
  ['isdecimal', matching(/^\p{Nd}+$/u)],
  ['isdigit', matching(/^[\p{Nd}²³¹⁰⁴-⁹₀-₉①-⑨⑴-⑼⒈-⒐⓪⓵-⓽⓿❶-❾➀-➈➊-➒]+$/u)],
  ['isnumeric', matching(/^\p{N}+$/u)],
  ['isalnum', matching(/^[\p{L}\p{N}]+$/u)],
  ['isascii', matching(/^\p{ASCII}*$/u)],
  ['isidentifier', matching(/^[\p{ID_Start}_]\p{ID_Continue}*$/u)],
  ['isprintable', matching(/^[^\p{C}\p{Zl}\p{Zp}\p{Zs}]*$/u)],
  ['strip', stripMethod('both')],
  ['lstrip', stripMethod('left')],
  ['rstrip', stripMethod('right')],
  ['split', splitMethod(split)],
  ['rsplit', splitMethod(rsplit)],
  ['splitlines', splitLinesMethod],
  ['partition', partition('first')],
  ['rpartition', partition('last')],
  ['startswith', edge((text, part) => text.startsWith(part))],
  ['endswith', edge((text, part) => text.endsWith(part))],
  ['removeprefix', remove((text, part) => (text.startsWith(part) ? text.slice(part.length) : text))],
  [
    'removesuffix',
    remove((text, part) => (part !== '' && text.endsWith(part) ? text.slice(0, -part.length) : text)),
  ],
  ['replace', replaceMethod],
  ['find', search('first', -1)],
  ['rfind', search('last', -1)],
  ['index', search('first')],
  ['rindex', search('last')],
  ['count', countMethod],
  ['join', joinMethod],
  ['format', (text, args, context) => formatBraces(text, args, context)],
  ['ljust', pad('right')],
  ['rjust', pad('left')],
  ['center', pad('both')],
  ['zfill', zeroFill],
  ['expandtabs', expandTabs],
])

function textOf(value: Value | undefined, owner: string): string {
  const given = required(value, owner, 'text')
  if (typeof given !== 'string')
    throw new TemplateError(`${owner}() argument must be str, not ${typeName(given)}`)
  return given
}

function optionalText(value: Value | undefined, owner: string): string | undefined {
  return value === undefined || value === null ? undefined : textOf(value, owner)
}

function countArgument(value: Value | undefined, fallback: number): number {
  return value === undefined ? fallback : integerOf(value, 'a count')
}

function stripMethod(side: 'both' | 'left' | 'right'): Method {
  return (text, args, { budget }) => {
    const [chars] = bind(args, 'strip', ['chars'])
    return strip(text, optionalText(chars, 'strip'), { side, budget })
  }
}

function splitMethod(cut: typeof split): Method {
  return (text, args, { budget }) => {
    const [separator, most] = bind(args, 'split', ['sep', 'maxsplit'])
    return cut(text, optionalText(separator, 'split'), countArgument(most, -1), budget)
  }
}

function splitLinesMethod(text: string, args: Arguments, { budget }: Context): Value {
  const [keep] = bind(args, 'splitlines', ['keepends'])
  return splitLines(text, keep === true, budget)
}

function partition(which: 'first' | 'last'): Method {
  return (text, args, { budget }) => {
    const separator = textOf(bind(args, 'partition', ['sep'])[0], 'partition')
    if (separator === '') throw new TemplateError('empty separator')
    budget.text(text.length)
    const at = which === 'first' ? text.indexOf(separator) : text.lastIndexOf(separator)
    if (at === -1) return new Tuple(which === 'first' ? [text, '', ''] : ['', '', text])
    return new Tuple([text.slice(0, at), separator, text.slice(at + separator.length)])
  }
}

/** The part of a text that `start` and `end` choose, by characters, and where it begins. */
function within(
  text: string,
  [start, end]: readonly (Value | undefined)[],
  { budget }: Context,
): { part: string; from: number } {
  if ((start === undefined || start === null) && (end === undefined || end === null))
    return { part: text, from: 0 }
  const chars = charactersOf(text, budget)
  const place = (value: Value | undefined, fallback: number): number => {
    const at = value === undefined || value === null ? fallback : integerOf(value, 'a place')
    return at < 0 ? Math.max(0, at + chars.length) : Math.min(at, chars.length)
  }
  const from = place(start, 0)
  const part = chars.slice(from, Math.max(from, place(end, chars.length)))
  return { part: typeof part === 'string' ? part : part.join(''), from }
}

function edge(test: (text: string, part: string) => boolean): Method {
  return (text, args, context) => {
    const [part, ...range] = bind(args, 'startswith', ['prefix', 'start', 'end'])
    const whole = within(text, range, context).part
    const parts = part instanceof Tuple ? part.items : [required(part, 'startswith', 'prefix')]
    context.budget.items(parts.length)
    return parts.some((one) => test(whole, textOf(one, 'startswith')))
  }
}

function remove(work: (text: string, part: string) => string): Method {
  return (text, args, { budget }) => {
    budget.text(text.length)
    return work(text, textOf(bind(args, 'removeprefix', ['prefix'])[0], 'removeprefix'))
  }
}

function replaceMethod(text: string, args: Arguments, { budget }: Context): Value {
  const [old, fresh, count] = bind(args, 'replace', ['old', 'new', 'count'])
  return replace(text, [textOf(old, 'replace'), textOf(fresh, 'replace')], countArgument(count, -1), budget)
}

function search(which: 'first' | 'last', missing?: number): Method {
  return (text, args, context) => {
    const [part, ...range] = bind(args, 'find', ['sub', 'start', 'end'])
    const { part: whole, from } = within(text, range, context)
    context.budget.text(whole.length)
    const sought = textOf(part, 'find')
    const at = which === 'first' ? whole.indexOf(sought) : whole.lastIndexOf(sought)
    if (at !== -1) return BigInt(from + charactersBefore(whole, at))
    if (missing === undefined) throw new TemplateError('substring not found')
    return BigInt(missing)
  }
}

function countMethod(text: string, args: Arguments, context: Context): Value {
  const [part, ...range] = bind(args, 'count', ['sub', 'start', 'end'])
  const whole = within(text, range, context).part
  context.budget.items(whole.length)
  const sought = textOf(part, 'count')
  return BigInt(sought === '' ? lengthOf(whole, context.budget) + 1 : countOf(whole, sought))
}

function joinMethod(text: string, args: Arguments, { budget }: Context): Value {
  const parts = iterate(required(bind(args, 'join', ['iterable'])[0], 'join', 'iterable'))
  let length = 0
  budget.items(parts.length)
  parts.forEach((part, i) => {
    if (typeof part !== 'string')
      throw new TemplateError(`sequence item ${i}: expected str instance, ${typeName(part)} found`)
    length += part.length + text.length
  })
  budget.text(length)
  return parts.join(text)
}

function pad(side: 'left' | 'right' | 'both'): Method {
  return (text, args, { budget }) => {
    const [width, fill = ' '] = bind(args, 'just', ['width', 'fillchar'])
    const char = textOf(fill, 'just')
    if (Array.from(char).length !== 1)
      throw new TemplateError('The fill character must be exactly one character long')
    const total = integerOf(required(width, 'just', 'width'), 'a width')
    budget.text(total)
    const room = Math.max(0, total - lengthOf(text, budget))
    // Python gives the odd space of a centred text to the left only where the width is odd.
    const left = side === 'right' ? 0 : side === 'left' ? room : (room >> 1) + (room & total & 1)
    return char.repeat(left) + text + char.repeat(room - left)
  }
}

function zeroFill(text: string, args: Arguments, { budget }: Context): Value {
  const width = integerOf(required(bind(args, 'zfill', ['width'])[0], 'zfill', 'width'), 'a width')
  budget.text(width)
  const sign = /^[+-]/.test(text) ? text[0]! : ''
  return sign + '0'.repeat(Math.max(0, width - lengthOf(text, budget))) + text.slice(sign.length)
}

function expandTabs(text: string, args: Arguments, { budget }: Context): Value {
  const [size] = bind(args, 'expandtabs', ['tabsize'])
  const width = countArgument(size, 8)
  budget.text(text.length + countOf(text, '\t') * Math.max(0, width))
  budget.items(text.length)
  let column = 0
  let written = ''
  for (const char of text) {
    if (char !== '\t') {
      column = char === '\n' || char === '\r' ? 0 : column + 1
      written += char
    } else if (width > 0) {
      const room = width - (column % width)
      written += ' '.repeat(room)
      column += room
    }
  }
  return written
}

/** `text[key]` for a whole number; `undefined` beyond its ends. */
export function characterAt(text: string, place: number, { budget }: Context): string | undefined {
  if (!hasPairs(text)) {
    budget.text(text.length)
    return text[place < 0 ? place + text.length : place]
  }
  const chars = charactersOf(text, budget)
  return chars[place < 0 ? place + chars.length : place]
}
