/** Values of flags, parsed strictly: `5abc`, `0x10`, an empty text and numbers out of range are refused with the range. */
import { statSync } from 'node:fs'
import { MOST_DRAFTS } from '../engine/request.ts'
import { SpoutError } from '../errors.ts'
import {
  BIAS_RANGE,
  describeRange,
  ID_RANGE,
  isInRange,
  type SamplingRange,
} from '../sampling/sampling-params.ts'
import { quote } from '../system/text-display.ts'

type NumberRange = Omit<SamplingRange, 'name'>

export function parseNumber(text: string, range: NumberRange): number {
  const digits = range.whole ? /^-?\d+$/ : /^-?(\d+\.?\d*|\.\d+)$/
  const value = digits.test(text) ? Number(text) : Number.NaN
  const named = { name: '', ...range }
  if (isInRange(named, value)) return value
  throw refused(text, describeRange(named))
}

/** 0 to 2^64 - 1. */
export function parseSeed(text: string): bigint {
  if (/^\d{1,20}$/.test(text) && BigInt(text) < 1n << 64n) return BigInt(text)
  throw refused(text, 'a whole number from 0 to 18446744073709551615')
}

/** Guesses of a step. */
export function parseDrafts(text: string): 'auto' | 'off' | number {
  if (text === 'auto' || text === 'off') return text
  const value = /^\d{1,3}$/.test(text) ? Number(text) : 0
  if (value >= 1 && value <= MOST_DRAFTS) return value
  throw refused(text, `auto, off or a whole number from 1 to ${MOST_DRAFTS}`)
}

export function parseChoice(text: string, values: readonly string[]): string {
  if (values.includes(text)) return text
  throw refused(text, `one of ${values.join(', ')}`)
}

/** `id=bias`. */
export function parseLogitBias(text: string): readonly [number, number] {
  const [id, bias] = splitOnce(text)
  if (bias === undefined) throw refused(text, 'id=x, for example 42=-100')
  return [parseNumber(id, ID_RANGE), parseNumber(bias, BIAS_RANGE)]
}

/**
 * `key=value` for a template. The value is JSON where it reads as JSON (`false`, `3`), `True`, `False` and `None` are what they
 * are in a template, all else is text. What looks like a truth value and is none is refused: as a text it would be true.
 */
export function parseKeyValue(text: string): readonly [string, unknown] {
  const [key, value] = splitOnce(text)
  if (key === '' || value === undefined) throw refused(text, 'key=value, for example enable_thinking=false')
  if (OF_THE_RUN.has(key)) throw new SpoutError('usage', `${key}: it is not given by hand`)
  if (PYTHON_VALUES.has(value)) return [key, PYTHON_VALUES.get(value)]
  try {
    return [key, JSON.parse(value)]
  } catch {
    if (/^(true|false|none|null|yes|no|on|off)$/i.test(value))
      throw refused(text, `a truth value: true, false or null (the text: ${key}='${JSON.stringify(value)}')`)
    return [key, value]
  }
}

const PYTHON_VALUES: ReadonlyMap<string, null | boolean> = new Map<string, null | boolean>([
  ['True', true],
  ['False', false],
  ['None', null],
])

/** Variables of a template that each request has of its own. */
const OF_THE_RUN = new Set(['messages', 'add_generation_prompt'])

/** `name=flags`; the flags are read later, and may be none. */
export function parseArm(text: string): readonly [string, string] {
  const [name, flags] = splitOnce(text)
  if (/^[\w.%+-]{1,40}$/.test(name) && flags !== undefined) return [name, flags]
  throw refused(text, "name='flags', for example q4='--dtype q4'")
}

/** `3%` or `3`, as a share: 0.03. */
export function parsePercent(text: string): number {
  return parseNumber(text.replace(/\s*%$/, ''), { min: 0, max: 1000 }) / 100
}

const UNITS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000 }
const LONGEST = 7 * 24 * UNITS.h!

/** A time with its unit, in ms; 0 is none. */
export function parseKeepAlive(text: string): number {
  if (text === 'off') return 0
  const [, digits, unit] = /^(\d{1,6})([smh])$/.exec(text) ?? []
  const ms = Number(digits) * UNITS[unit ?? 's']!
  if (ms > 0 && ms <= LONGEST) return ms
  throw refused(text, 'off or a time from 1s to 168h, as in 90s, 10m or 2h')
}

/** A text that may not be empty. */
export function parseText(text: string): string {
  if (text !== '') return text
  throw refused(text, 'a text of at least one character')
}

/** A file that is not stdin, which is the prompt's. */
export function parseFile(text: string): string {
  if (parseText(text) !== '-') return text
  throw new SpoutError('usage', '- is stdin, which belongs to the prompt', {
    hint: './- is a file of that name',
  })
}

/** A model is a folder, or a name on the hub; who names a file has one of another program, or means its folder. */
export function parseModel(text: string): string {
  const [, kind] = /\.(gguf|ggml|safetensors|bin|pth?|onnx|mlx|llamafile)$/i.exec(parseText(text)) ?? []
  if (kind === undefined || statSync(text, { throwIfNoEntry: false })?.isDirectory()) return text
  const isOnnx = kind.toLowerCase() === 'onnx'
  throw new SpoutError('usage', `${quote(text, 80)} is a file, and a model is a folder or a name`, {
    hint: isOnnx
      ? 'the folder that config.json and tokenizer.json are in, and --dtype to choose among its graphs'
      : 'spout reads ONNX: most small models have it under onnx-community, as in -m onnx-community/Qwen2.5-0.5B-Instruct',
  })
}

function splitOnce(text: string): [string, string | undefined] {
  const at = text.indexOf('=')
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)]
}

function refused(text: string, expected: string): SpoutError {
  return new SpoutError('usage', `${quote(text, 80)} is not ${expected}`)
}
