/** `'%s is %d' % (a, b)`, also as the filter `format`. */
import type { Budget } from './budget.ts'
import { numeric } from './compare.ts'
import { formatDigits } from './format-number.ts'
import { TemplateError } from './template-error.ts'
import { Dict, Tuple, typeName, Undefined, type Value } from './values.ts'
import { integerOf, repr, str } from './write.ts'

const PLACE = /%(?:\(([^)]*)\))?([-+ #0]*)(\*|\d+)?(?:\.(\*|\d+))?[hlL]?([\s\S])/gu

export function formatPercent(text: string, values: Value, budget: Budget): string {
  const given = values instanceof Tuple ? values.items : [values]
  let used = 0
  const next = (): Value => {
    const value = given[used++]
    if (value === undefined) throw new TemplateError('not enough arguments for format string')
    return value
  }
  const named = (name: string): Value => {
    if (!(values instanceof Dict)) throw new TemplateError('format requires a mapping')
    const value = values.get(name)
    if (value === undefined) throw new TemplateError(`format has no value '${name}'`)
    return value
  }
  budget.text(text.length)
  const written = text.replace(
    PLACE,
    (_, name: string | undefined, flags: string, width, precision, kind) => {
      if (kind === '%') return '%'
      const size = (part: string | undefined): number | undefined =>
        part === undefined ? undefined : part === '*' ? integerOf(next(), 'a width') : Number(part)
      const place = { flags, width: size(width) ?? 0, precision: size(precision), kind }
      return pad(place, writeOne(place, name === undefined ? next() : named(name), budget), budget)
    },
  )
  if (text.replace(PLACE, '').includes('%')) throw new TemplateError('incomplete format')
  if (used < given.length && !hasItems(values))
    throw new TemplateError('not all arguments converted during string formatting')
  return written
}

/** Python looks for unused values only in what is no mapping, and takes whatever has items for one. */
function hasItems(value: Value): boolean {
  return value instanceof Dict || value instanceof Undefined || Array.isArray(value)
}

interface Place {
  readonly flags: string
  readonly width: number
  readonly precision: number | undefined
  readonly kind: string
}

interface Written {
  readonly sign: string
  readonly digits: string
  readonly isNumber: boolean
}

function writeOne({ flags, precision, kind }: Place, value: Value, budget: Budget): Written {
  if ('sra'.includes(kind)) {
    const text = kind === 's' ? str(value, budget) : repr(value, budget)
    return {
      sign: '',
      digits: precision === undefined ? text : Array.from(text).slice(0, precision).join(''),
      isNumber: false,
    }
  }
  if (kind === 'c') return { sign: '', digits: characterOf(value), isNumber: false }
  const number = numeric(value)
  if (number === undefined)
    throw new TemplateError(`%${kind} format: a number is required, not ${typeName(value)}`)
  if (precision !== undefined) budget.text(precision)
  const isNegative = number < 0 || Object.is(number, -0)
  const sign = isNegative ? '-' : flags.includes('+') ? '+' : flags.includes(' ') ? ' ' : ''
  return {
    sign,
    digits: formatDigits(kind, number, { precision, alternate: flags.includes('#') }),
    isNumber: true,
  }
}

function characterOf(value: Value): string {
  if (typeof value === 'bigint' && value >= 0n && value <= 0x10ffffn)
    return String.fromCodePoint(Number(value))
  if (typeof value === 'string' && Array.from(value).length === 1) return value
  throw new TemplateError('%c requires int or char')
}

function pad({ flags, width }: Place, { sign, digits, isNumber }: Written, budget: Budget): string {
  budget.text(width)
  const room = width - Array.from(sign).length - Array.from(digits).length
  if (room <= 0) return sign + digits
  if (flags.includes('-')) return sign + digits + ' '.repeat(room)
  return flags.includes('0') && isNumber ? sign + '0'.repeat(room) + digits : ' '.repeat(room) + sign + digits
}
