/** Values as text: Python's `str` and `repr`. */
import type { Budget } from './budget.ts'
import { TemplateError } from './template-error.ts'
import { Dict, Namespace, type Sequence, Thing, Tuple, Undefined, type Value } from './values.ts'

/** `str(value)`. */
export function str(value: Value, budget: Budget): string {
  if (typeof value === 'string') return value
  return value instanceof Undefined ? '' : repr(value, budget)
}

/** `repr(value)`. */
export function repr(value: Value, budget: Budget): string {
  budget.spend(1)
  if (typeof value === 'string') {
    budget.text(value.length)
    return quoted(value)
  }
  const text = typeof value === 'object' && value !== null ? reprOfObject(value, budget) : reprOfScalar(value)
  budget.text(text.length)
  return text
}

function reprOfScalar(value: null | boolean | bigint | number): string {
  if (value === null) return 'None'
  if (typeof value === 'boolean') return value ? 'True' : 'False'
  return typeof value === 'bigint' ? value.toString() : floatText(value)
}

type ObjectValue = Value[] | Tuple | Dict | Sequence | Undefined | Thing

function reprOfObject(value: ObjectValue, budget: Budget): string {
  if (Array.isArray(value)) return `[${reprItems(value, budget)}]`
  if (value instanceof Tuple)
    return `(${reprItems(value.items, budget)}${value.items.length === 1 ? ',' : ''})`
  if (value instanceof Dict) return `{${reprEntries(value.entries(), budget)}}`
  if (value instanceof Undefined) return 'Undefined'
  if (value instanceof Namespace) return `<Namespace {${reprEntries([...value.variables], budget)}}>`
  if (value instanceof Thing) return `<${value.typeName}>`
  if (value.written !== undefined) return value.written
  const items = `[${reprItems(value.items, budget)}]`
  return value.kind === 'generator' ? items : `${value.kind}(${items})`
}

function reprItems(items: readonly Value[], budget: Budget): string {
  let text = ''
  for (const item of items) {
    text += `${text === '' ? '' : ', '}${repr(item, budget)}`
    budget.text(text.length & ~0x3f)
  }
  return text
}

function reprEntries(entries: readonly (readonly [Value, Value])[], budget: Budget): string {
  return entries.map(([key, item]) => `${repr(key, budget)}: ${repr(item, budget)}`).join(', ')
}

/** A float: the shortest digits that are read as the same number. */
export function floatText(value: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? 'nan' : value < 0 ? '-inf' : 'inf'
  if (Object.is(value, -0)) return '-0.0'
  const [digits = '', power = '0'] = value.toExponential().split('e')
  const exponent = Number(power)
  if (value !== 0 && (exponent < -4 || exponent >= 16))
    return `${digits}e${exponent < 0 ? '-' : '+'}${String(Math.abs(exponent)).padStart(2, '0')}`
  const plain = value.toFixed(Math.max(0, digits.replace(/^-?\d\.?/, '').length - exponent))
  return plain.includes('.') ? plain : `${plain}.0`
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

/** The whole number that a value is. @throws TemplateError otherwise. */
export function integerOf(value: Value, what: string): number {
  if (typeof value === 'boolean') return Number(value)
  if (typeof value !== 'bigint') throw new TemplateError(`${what} must be a whole number`)
  return Number(value)
}
