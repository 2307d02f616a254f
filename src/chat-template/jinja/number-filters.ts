/** Filters that make a number. */
import { bind } from './arguments.ts'
import { calculate } from './arithmetic.ts'
import type { Budget } from './budget.ts'
import { numeric } from './compare.ts'
import type { Context } from './context.ts'
import { roundFloat } from './format-number.ts'
import { strip } from './split-text.ts'
import { TemplateError } from './template-error.ts'
import type { Filter } from './text-filters.ts'
import { type Arguments, refuseUndefined, typeName, type Value } from './values.ts'
import { integerOf } from './write.ts'

export const NUMBER_FILTERS: ReadonlyMap<string, Filter> = new Map<string, Filter>([
  ['abs', abs],
  ['int', int],
  ['float', float],
  ['round', round],
])

function numberOf(value: Value, what: string): bigint | number {
  refuseUndefined(value)
  const number = numeric(value)
  if (number === undefined) throw new TemplateError(`${what}: a number is required, not ${typeName(value)}`)
  return number
}

function abs(value: Value, args: Arguments): Value {
  bind(args, 'abs', [])
  const number = numberOf(value, 'abs')
  return typeof number === 'number' ? Math.abs(number) : number < 0n ? -number : number
}

function int(value: Value, args: Arguments, { budget }: Context): Value {
  const [fallback = 0n, base = 10n] = bind(args, 'int', ['default', 'base'])
  refuseUndefined(value)
  if (typeof value === 'string') budget.items(4 * value.length)
  if (typeof value === 'string') return wholeOfText(value, integerOf(base, 'a base'), budget) ?? fallback
  const number = numeric(value)
  return number === undefined ? fallback : (wholeOf(number) ?? fallback)
}

function wholeOf(number: bigint | number): bigint | undefined {
  if (typeof number === 'bigint') return number
  return Number.isFinite(number) ? BigInt(Math.trunc(number)) : undefined
}

const PREFIXES: Readonly<Record<number, string>> = { 2: '0b', 8: '0o', 16: '0x' }

function wholeOfText(text: string, base: number, budget: Budget): bigint | undefined {
  if (text.length > LONGEST_NUMBER) throw new TemplateError('computes too large a number')
  const [, sign = '', digits = ''] =
    /^([+-]?)(.*)$/s.exec(strip(text, undefined, { side: 'both', budget })) ?? []
  const plain = digits.replace(/(?<=\w)_(?=\w)/g, '').toLowerCase()
  const prefix = PREFIXES[base] ?? ''
  const body = prefix !== '' && plain.startsWith(prefix) ? plain.slice(2) : plain
  if (body === '' || !Array.from(body).every((char) => digitOf(char) < base)) {
    const number = floatOf(text, budget)
    return number === undefined ? undefined : wholeOf(number)
  }
  const value = base === 10 || prefix !== '' ? BigInt(prefix + body) : digitsIn(body, base)
  return sign === '-' ? -value : value
}

/** Texts of more digits are no numbers that a template needs. */
const LONGEST_NUMBER = 400

function digitsIn(digits: string, base: number): bigint {
  return Array.from(digits).reduce((sum, char) => sum * BigInt(base) + BigInt(digitOf(char)), 0n)
}

function digitOf(char: string): number {
  return /^[\da-z]$/.test(char) ? Number.parseInt(char, 36) : Number.POSITIVE_INFINITY
}

function floatOf(text: string, budget: Budget): number | undefined {
  const plain = strip(text, undefined, { side: 'both', budget }).replace(/(?<=\d)_(?=\d)/g, '')
  if (/^[+-]?(\d+(?:\.\d*)?|\.\d+)(e[+-]?\d+)?$/i.test(plain)) return Number(plain)
  const special = /^([+-]?)(?:(inf(?:inity)?)|nan)$/i.exec(plain)
  if (special === null) return undefined
  if (special[2] === undefined) return Number.NaN
  return special[1] === '-' ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY
}

function float(value: Value, args: Arguments, { budget }: Context): Value {
  const [fallback = 0] = bind(args, 'float', ['default'])
  refuseUndefined(value)
  if (typeof value === 'string') budget.items(value.length)
  if (typeof value === 'string') return floatOf(value, budget) ?? fallback
  const number = numeric(value)
  return number === undefined ? fallback : Number(number)
}

function round(value: Value, args: Arguments, { budget }: Context): Value {
  const [precision = 0n, method = 'common'] = bind(args, 'round', ['precision', 'method'])
  const number = numberOf(value, 'round')
  const digits = integerOf(precision, 'a precision')
  if (method === 'common') return typeof number === 'bigint' ? number : roundFloat(number, digits)
  if (method !== 'ceil' && method !== 'floor') throw new TemplateError('method must be common, ceil or floor')
  const scale = calculate('**', 10n, BigInt(digits), budget)
  const scaled = Math[method](Number(calculate('*', number, scale, budget)))
  return calculate('/', BigInt(scaled), scale, budget)
}
