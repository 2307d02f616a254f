/** `'{} is {name:>8}'.format(…)`. */
import { numeric } from './compare.ts'
import type { Context } from './context.ts'
import { formatDigits } from './format-number.ts'
import { TemplateError } from './template-error.ts'
import type { Arguments, Value } from './values.ts'
import { repr, str } from './write.ts'

const FIELD = /\{\{|\}\}|\{([^{}!:]*)(?:!([rsa]))?(?::([^{}]*))?\}|[{}]/g

export function formatBraces(text: string, args: Arguments, context: Context): string {
  let automatic = 0
  context.budget.text(text.length)
  return text.replace(FIELD, (all, field: string | undefined, conversion?: string, spec = '') => {
    if (all === '{{' || all === '}}') return all[0]!
    if (field === undefined) throw new TemplateError(`Single '${all}' encountered in format string`)
    const [first = '', ...path] = field.split(/(\.\w+|\[[^\]]*\])/).filter((part) => part !== '')
    const name = field === '' || /^[.[]/.test(field) ? String(automatic++) : first
    const rest = name === first ? path : [first, ...path].filter((part) => part !== '')
    let value = argument(args, name)
    for (const part of rest) value = step(value, part, context)
    if (conversion !== undefined)
      value = conversion === 's' ? str(value, context.budget) : repr(value, context.budget)
    return formatOne(value, spec, context)
  })
}

function argument({ positional, named }: Arguments, name: string): Value {
  const value = /^\d+$/.test(name) ? positional[Number(name)] : named.get(name)
  if (value === undefined) throw new TemplateError(`format has no value '${name}'`)
  return value
}

function step(value: Value, part: string, { getAttribute, getItem }: Context): Value {
  if (part.startsWith('.')) return getAttribute(value, part.slice(1))
  const key = part.slice(1, -1)
  return getItem(value, /^\d+$/.test(key) ? BigInt(key) : key)
}

const SPEC = /^(?:([\s\S])?([<>=^]))?([-+ ])?(#)?(0)?(\d+)?([,_])?(?:\.(\d+))?([a-zA-Z%])?$/u

function formatOne(value: Value, spec: string, { budget }: Context): string {
  if (spec === '') return str(value, budget)
  const match = SPEC.exec(spec)
  if (match === null) throw new TemplateError(`Invalid format specifier '${spec}'`)
  const [, fill, align, signs, alternate, zero, width = '0', grouping, precision, kind] = match
  const most = precision === undefined ? undefined : Number(precision)
  budget.text(Number(width) + (most ?? 0))
  const number = typeof value === 'boolean' && kind === undefined ? undefined : numeric(value)
  if (number === undefined || kind === 's') {
    const text =
      most === undefined ? str(value, budget) : Array.from(str(value, budget)).slice(0, most).join('')
    return padded(text, '', { fill: fill ?? ' ', align: align ?? '<', width: Number(width) })
  }
  const isNegative = number < 0 || Object.is(number, -0)
  const sign = isNegative ? '-' : signs === '+' || signs === ' ' ? signs : ''
  const form = { precision: most, alternate: alternate !== undefined }
  const digits = kind === undefined ? plainDigits(number, most, budget) : formatDigits(kind, number, form)
  return padded(grouped(digits, grouping), sign, {
    fill: fill ?? (zero === undefined ? ' ' : '0'),
    align: align ?? (zero === undefined ? '>' : '='),
    width: Number(width),
  })
}

function plainDigits(
  number: bigint | number,
  precision: number | undefined,
  budget: Context['budget'],
): string {
  if (precision !== undefined) return formatDigits('g', number, { precision, alternate: false })
  return str(number, budget).replace(/^-/, '')
}

function grouped(digits: string, mark: string | undefined): string {
  if (mark === undefined) return digits
  const [whole = '', ...rest] = digits.split(/(?=[.e%])/)
  return whole.replace(/\B(?=(?:\d{3})+$)/g, mark) + rest.join('')
}

interface Padding {
  readonly fill: string
  readonly align: string
  readonly width: number
}

function padded(text: string, sign: string, { fill, align, width }: Padding): string {
  const room = Math.max(0, width - Array.from(sign + text).length)
  const left = align === '<' ? 0 : align === '^' ? room >> 1 : room
  if (align === '=') return sign + fill.repeat(room) + text
  return fill.repeat(left) + sign + text + fill.repeat(room - left)
}
