/** Text as Python makes it, for templates written against it. */
import type { Value } from './jinja.ts'

/** `str(value)`. */
export function pythonStr(value: Value): string {
  if (typeof value.value === 'string') return value.value
  return value.type === 'UndefinedValue' ? '' : pythonRepr(value)
}

/** `repr(value)`. */
function pythonRepr(value: Value): string {
  switch (value.type) {
    case 'StringValue':
      return quoted(value.value as string)
    case 'NullValue':
      return 'None'
    case 'UndefinedValue':
      return 'Undefined'
    case 'BooleanValue':
      return value.value ? 'True' : 'False'
    case 'ArrayValue':
      return `[${(value.value as Value[]).map(pythonRepr).join(', ')}]`
    case 'TupleValue':
      return tuple((value.value as Value[]).map(pythonRepr))
    case 'ObjectValue':
      return `{${[...(value.value as Map<string, Value>)].map(([key, item]) => `${quoted(key)}: ${pythonRepr(item)}`).join(', ')}}`
    default:
      return String(value)
  }
}

function tuple(items: readonly string[]): string {
  return items.length === 1 ? `(${items[0]},)` : `(${items.join(', ')})`
}

function quoted(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'"
  const escaped = text.replace(/[\\\p{C}\p{Zl}\p{Zp}]|(?! )\p{Zs}/gu, hexEscape)
  return quote + (quote === "'" ? escaped.replaceAll("'", "\\'") : escaped) + quote
}

const SHORT_ESCAPES: Readonly<Record<string, string>> = {
  '\\': '\\\\',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
}

function hexEscape(char: string): string {
  const code = char.codePointAt(0)!
  const hex = (width: number) => code.toString(16).padStart(width, '0')
  return (
    SHORT_ESCAPES[char] ?? (code < 0x100 ? `\\x${hex(2)}` : code < 0x10000 ? `\\u${hex(4)}` : `\\U${hex(8)}`)
  )
}

/** What `str.strip()` takes for white space: not the byte order mark, but the separators of ASCII. */
const WHITE_SPACE = /[\t-\r\x1c-\x1f \x85\p{Z}]/u

/** `text.strip(chars)`, `lstrip`, `rstrip`. */
export function pythonStrip(
  text: string,
  chars: string | undefined,
  side: 'both' | 'left' | 'right',
): string {
  const strips = typeof chars === 'string' ? new Set(chars) : undefined
  const gone = (char: string) => (strips === undefined ? WHITE_SPACE.test(char) : strips.has(char))
  let start = 0
  let end = text.length
  if (side !== 'right') while (start < end && gone(text[start]!)) start++
  if (side !== 'left') while (end > start && gone(text[end - 1]!)) end--
  return text.slice(start, end)
}

const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday']
const MONTHS = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
]

/** `date.strftime(format)` in the C locale, local time. `%-d` leaves out the padding. */
export function strftime(date: Date, format: string): string {
  const code = (letter: string): [value: number | string, width?: number] | undefined => {
    switch (letter) {
      case 'Y':
        return [date.getFullYear(), 4]
      case 'y':
        return [date.getFullYear() % 100, 2]
      case 'm':
        return [date.getMonth() + 1, 2]
      case 'd':
        return [date.getDate(), 2]
      case 'H':
        return [date.getHours(), 2]
      case 'I':
        return [date.getHours() % 12 || 12, 2]
      case 'M':
        return [date.getMinutes(), 2]
      case 'S':
        return [date.getSeconds(), 2]
      case 'j':
        return [dayOfYear(date), 3]
      case 'A':
        return [DAYS[date.getDay()]!]
      case 'a':
        return [DAYS[date.getDay()]!.slice(0, 3)]
      case 'B':
        return [MONTHS[date.getMonth()]!]
      case 'b':
        return [MONTHS[date.getMonth()]!.slice(0, 3)]
      case 'p':
        return [date.getHours() < 12 ? 'AM' : 'PM']
      case '%':
        return ['%']
      default:
        return undefined
    }
  }
  return format.replace(/%(-?)([A-Za-z%])/g, (all, dash: string, letter: string) => {
    const [value, width = 0] = code(letter) ?? [all]
    return dash === '-' ? String(value) : String(value).padStart(width, '0')
  })
}

function dayOfYear(date: Date): number {
  const start = Date.UTC(date.getFullYear(), 0, 1)
  return 1 + Math.round((Date.UTC(date.getFullYear(), date.getMonth(), date.getDate()) - start) / 86_400_000)
}
