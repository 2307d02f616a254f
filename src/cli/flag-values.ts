/** Values of flags, parsed strictly: `5abc`, `0x10`, an empty text and numbers out of range are refused with the range. */
import { SpoutError } from '../errors.ts'

export interface NumberRange {
  readonly min: number
  readonly max: number
  /** `min` itself is out. */
  readonly above?: boolean
  /** `max` itself is out. */
  readonly below?: boolean
}

export function parseInteger(text: string, min: number, max: number): number {
  const value = /^-?\d+$/.test(text) ? Number(text) : Number.NaN
  if (Number.isSafeInteger(value) && value >= min && value <= max) return value
  throw refused(text, `a whole number from ${min} to ${max}`)
}

export function parseNumber(text: string, range: NumberRange): number {
  const value = /^-?(\d+\.?\d*|\.\d+)$/.test(text) ? Number(text) : Number.NaN
  const low = range.above ? value > range.min : value >= range.min
  const high = range.below ? value < range.max : value <= range.max
  if (low && high) return value
  const from = range.above ? `above ${range.min}` : `from ${range.min}`
  throw refused(text, `a number ${from} ${range.below ? 'to below' : 'to'} ${range.max}`)
}

/** 0 to 2^64 - 1. */
export function parseSeed(text: string): bigint {
  if (/^\d{1,20}$/.test(text) && BigInt(text) < 1n << 64n) return BigInt(text)
  throw refused(text, 'a whole number from 0 to 18446744073709551615')
}

export function parseChoice(text: string, values: readonly string[]): string {
  if (values.includes(text)) return text
  throw refused(text, `one of ${values.join(', ')}`)
}

/** `id=bias`. */
export function parseLogitBias(text: string): readonly [number, number] {
  const [id, bias] = splitOnce(text)
  if (bias === undefined) throw refused(text, 'id=x, for example 42=-100')
  return [parseInteger(id, 0, 2 ** 31 - 1), parseNumber(bias, { min: -100, max: 100 })]
}

/** `key=value`; the value is JSON where it reads as JSON (`false`, `3`), else text. */
export function parseKeyValue(text: string): readonly [string, unknown] {
  const [key, value] = splitOnce(text)
  if (key === '' || value === undefined) throw refused(text, 'key=value, for example enable_thinking=false')
  try {
    return [key, JSON.parse(value)]
  } catch {
    return [key, value]
  }
}

function splitOnce(text: string): [string, string | undefined] {
  const at = text.indexOf('=')
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)]
}

function refused(text: string, expected: string): SpoutError {
  return new SpoutError('usage', `${JSON.stringify(text.slice(0, 80))} is not ${expected}`)
}
