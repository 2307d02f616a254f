/** Numbers as `%d`, `%.2f`, `%x` and the like write them. */
import { TemplateError } from './template-error.ts'

interface NumberForm {
  readonly precision: number | undefined
  /** `#`: a prefix as `0x`. */
  readonly alternate: boolean
}

/** The digits of a number, without sign or padding. @throws TemplateError for a form that is not known. */
export function formatDigits(kind: string, value: bigint | number, form: NumberForm): string {
  switch (kind) {
    case 'd':
    case 'i':
    case 'u':
      return whole(value)
        .toString()
        .padStart(form.precision ?? 0, '0')
    case 'x':
    case 'X':
    case 'o':
    case 'b':
      return inBase(kind, whole(value), form)
    case 'f':
    case 'F':
      return Math.abs(Number(value)).toFixed(precisionOf(form))
    case 'e':
    case 'E':
      return cased(kind, exponential(Number(value), precisionOf(form)))
    case 'g':
    case 'G':
      return cased(kind, general(Math.abs(Number(value)), precisionOf(form) || 1, form.alternate))
    case '%':
      return `${(Math.abs(Number(value)) * 100).toFixed(precisionOf(form))}%`
    default:
      throw new TemplateError(`unsupported format character '${kind}'`)
  }
}

function precisionOf({ precision = 6 }: NumberForm): number {
  if (precision > 100) throw new TemplateError('writes too many digits')
  return precision
}

function whole(value: bigint | number): bigint {
  const int = typeof value === 'bigint' ? value : BigInt(Math.trunc(value))
  return int < 0n ? -int : int
}

const BASES: Readonly<Record<string, number>> = { x: 16, X: 16, o: 8, b: 2 }

function inBase(kind: string, value: bigint, { alternate }: NumberForm): string {
  const digits = value.toString(BASES[kind]!)
  return (alternate ? `0${kind}` : '') + (kind === 'X' ? digits.toUpperCase() : digits)
}

function exponential(value: number, precision: number): string {
  return Math.abs(value)
    .toExponential(precision)
    .replace(/e([+-])(\d)$/, 'e$10$2')
}

function general(value: number, precision: number, alternate: boolean): string {
  const exponent = value === 0 ? 0 : Number(value.toExponential(precision - 1).split('e')[1])
  const isPlain = exponent >= -4 && exponent < precision
  const text = isPlain ? value.toFixed(precision - 1 - exponent) : exponential(value, precision - 1)
  if (alternate || !text.includes('.')) return text
  return text.replace(/\.?0+(?=e|$)/, '')
}

function cased(kind: string, text: string): string {
  return kind === kind.toUpperCase() ? text.toUpperCase() : text
}

/** Rounds half to even, as Python does, what lies exactly between two. */
export function roundFloat(value: number, digits: number): number {
  if (!Number.isFinite(value)) return value
  if (digits < 0) return roundFloat(value / 10 ** -digits, 0) * 10 ** -digits
  if (digits > 22) return value
  const text = Math.abs(value).toFixed(digits)
  const exact = Math.abs(value).toFixed(Math.min(100, digits + 60))
  const isTie = /^50*$/.test(exact.split('.')[1]!.slice(digits))
  const isOdd = Number(text.at(-1)) % 2 === 1
  const rounded = isTie && isOdd ? Number(text) - 10 ** -digits : Number(text)
  return Math.sign(value) * Number(rounded.toFixed(digits))
}
