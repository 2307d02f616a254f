/**
 * The settings of one request, by OpenAI's names and those that its imitators share. Each is obeyed or is an error that names it:
 * none is left aside in silence. `null` is a field that is not there.
 */
import type { RequestInput } from '../engine/request.ts'
import { structureOfResponseFormat } from '../engine/structure-request.ts'
import type { SamplingOptions } from '../sampling/sampling-params.ts'
import { contentText } from './messages.ts'
import { RequestError } from './request-error.ts'

export type Body = Readonly<Record<string, unknown>>

/** What a request says of itself, in place of what the command line says of all. */
type RequestSettings = Partial<
  Pick<
    RequestInput,
    'maxTokens' | 'stopStrings' | 'ignoreEos' | 'templateArgs' | 'sampling' | 'structure' | 'expect'
  >
>

/** What is read for its value. */
type Read = (value: unknown, field: string) => RequestSettings | undefined

const sampling = (options: SamplingOptions): RequestSettings => ({ sampling: options })
const numberOf =
  (name: keyof SamplingOptions): Read =>
  (value, field) =>
    sampling({ [name]: numberIn(value, field) })

const SHARED: Readonly<Record<string, Read>> = {
  temperature: numberOf('temperature'),
  top_p: numberOf('topP'),
  min_p: numberOf('minP'),
  typical_p: numberOf('typicalP'),
  // Elsewhere -1 is off.
  top_k: (value, field) => sampling({ topK: Math.max(0, numberIn(value, field)) }),
  repetition_penalty: numberOf('repetitionPenalty'),
  presence_penalty: numberOf('presencePenalty'),
  frequency_penalty: numberOf('frequencyPenalty'),
  min_tokens: numberOf('minNewTokens'),
  logit_bias: (value, field) => sampling({ logitBias: biasOf(value, field) }),
  seed: (value, field) => sampling({ seed: seedOf(value, field) }),
  max_tokens: maxTokens,
  max_completion_tokens: maxTokens,
  stop: (value, field) => ({ stopStrings: stopsOf(value, field) }),
  ignore_eos: (value, field) => ({ ignoreEos: only(value, field, [true, false]) as boolean }),
  ...{ n: neutral(1), stream: neutral(false), stream_options: neutral() },
  ...{ store: neutral(false), service_tier: neutral('auto', 'default') },
  // They tell who asks and what for: nothing of the answer depends on them.
  ...{ user: noted, metadata: noted, safety_identifier: noted, prompt_cache_key: noted },
  prompt_cache_retention: noted,
}

const CHAT: Readonly<Record<string, Read>> = {
  ...SHARED,
  logprobs: (value, field) => (only(value, field, [true, false]) ? sampling({ logprobs: 0 }) : undefined),
  top_logprobs: (value, field) => sampling({ logprobs: numberIn(value, field) }),
  chat_template_kwargs: (value, field) => ({ templateArgs: objectIn(value, field) }),
  response_format: responseFormat,
  prediction,
  ...{ tools: emptyList, functions: emptyList, tool_choice: neutral('none', 'auto') },
  ...{ parallel_tool_calls: neutral(true, false), modalities: textOnly, reasoning_effort: neutral() },
}

const COMPLETION: Readonly<Record<string, Read>> = {
  ...SHARED,
  logprobs: (value, field) => sampling({ logprobs: numberIn(value, field) }),
  ...{ echo: neutral(false), best_of: neutral(1), suffix: neutral() },
}

/** What a body may say beside its messages or its prompt. */
const SETTINGS = { chat: CHAT, completion: COMPLETION } as const
export type BodyKind = keyof typeof SETTINGS

/** Those that are no settings, and are read elsewhere. */
const CONTENT: Readonly<Record<BodyKind, ReadonlySet<string>>> = {
  chat: new Set(['model', 'messages', 'prompt']),
  completion: new Set(['model', 'prompt']),
}

interface ReadSettingsOptions {
  readonly kind: BodyKind
  /** Names that nobody knows are the user's own data, unless they are nearly a setting's. */
  readonly allowData: boolean
}

/** @throws RequestError `unsupported_field` or `invalid_value`, naming the field. */
export function readSettings(body: Body, { kind, allowData }: ReadSettingsOptions): RequestSettings {
  const readers = SETTINGS[kind]
  let settings: RequestSettings = {}
  for (const [field, value] of Object.entries(body)) {
    if (CONTENT[kind].has(field) || value === null) continue
    const read = Object.hasOwn(readers, field) ? readers[field] : undefined
    if (read === undefined) refuseUnknown(field, kind, allowData)
    else settings = merge(settings, read(value, field))
  }
  checkPairs(body)
  return settings
}

function merge(a: RequestSettings, b: RequestSettings = {}): RequestSettings {
  return b.sampling === undefined
    ? { ...a, ...b }
    : { ...a, ...b, sampling: { ...a.sampling, ...b.sampling } }
}

/** `maxTokens` and `Top-P` are no data. */
function refuseUnknown(field: string, kind: BodyKind, allowData: boolean): void {
  const plain = (name: string): string => name.toLowerCase().replace(/[^a-z]/g, '')
  const meant = Object.keys(SETTINGS[kind]).find((name) => plain(name) === plain(field))
  if (meant !== undefined)
    throw new RequestError('unsupported_field', `${field}: did you mean ${meant}`, field)
  if (allowData) return
  throw new RequestError('unsupported_field', `${field}: not supported`, field)
}

function checkPairs(body: Body): void {
  const { max_tokens: old, max_completion_tokens: most, top_logprobs: top, logprobs } = body
  if (old != null && most != null && old !== most) {
    const message = 'max_tokens and max_completion_tokens: two limits that differ'
    throw new RequestError('invalid_value', message, 'max_tokens')
  }
  if (top != null && logprobs !== true) {
    throw new RequestError('invalid_value', 'top_logprobs: needs "logprobs": true', 'top_logprobs')
  }
}

function numberIn(value: unknown, field: string): number {
  if (typeof value === 'number') return value
  throw wrong(field, 'a number')
}

function maxTokens(value: unknown, field: string): RequestSettings {
  if (Number.isSafeInteger(value) && (value as number) > 0) return { maxTokens: value as number }
  throw wrong(field, 'a whole number from 1')
}

/** A number, or a text of digits as `--json` writes it, for a number of 64 bits is more than JSON readers keep. */
function seedOf(value: unknown, field: string): bigint {
  if (typeof value === 'string' && /^\d{1,20}$/.test(value)) return BigInt(value)
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return BigInt(value)
  throw wrong(
    field,
    'a whole number from 0 to 9007199254740991, or a text of digits up to 18446744073709551615',
  )
}

function stopsOf(value: unknown, field: string): readonly string[] {
  const stops = Array.isArray(value) ? (value as unknown[]) : [value]
  if (stops.every((stop) => typeof stop === 'string' && stop !== '')) return stops as string[]
  throw wrong(field, 'a text or a list of texts')
}

function biasOf(value: unknown, field: string): ReadonlyMap<number, number> {
  const entries = Object.entries(objectIn(value, field))
  if (entries.every(([id, bias]) => /^\d+$/.test(id) && typeof bias === 'number')) {
    return new Map(entries.map(([id, bias]) => [Number(id), bias as number]))
  }
  throw wrong(field, 'an object of token ids and numbers')
}

function objectIn(value: unknown, field: string): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { ...value }
  throw wrong(field, 'an object')
}

function only(value: unknown, field: string, allowed: readonly unknown[]): unknown {
  if (allowed.includes(value)) return value
  throw wrong(field, allowed.map((each) => JSON.stringify(each)).join(' or '))
}

/** A field that may say what happens anyway, and nothing else. */
function neutral(...values: readonly unknown[]): Read {
  return (value, field) => {
    if (values.includes(value)) return undefined
    const but = values.length === 0 ? '' : ` but ${values.map((each) => JSON.stringify(each)).join(' or ')}`
    throw new RequestError(
      'unsupported_field',
      `${field}: ${JSON.stringify(value)} is not supported${but && `, only${but.slice(4)}`}`,
      field,
    )
  }
}

function noted(): undefined {
  return undefined
}

function emptyList(value: unknown, field: string): undefined {
  if (Array.isArray(value) && value.length === 0) return undefined
  throw new RequestError('unsupported_field', `${field}: not supported`, field)
}

function textOnly(value: unknown, field: string): undefined {
  if (Array.isArray(value) && value.length === 1 && value[0] === 'text') return undefined
  throw new RequestError('unsupported_field', `${field}: only ["text"] is supported`, field)
}

/** Plain text takes away what the run asks of all answers. */
function responseFormat(value: unknown): RequestSettings {
  return { structure: structureOfResponseFormat(value) }
}

/** What the answer will mostly be: it is written sooner, and is the same. */
function prediction(value: unknown, field: string): RequestSettings {
  const { type, content } = objectIn(value, field)
  if (type !== 'content') throw wrong(`${field}.type`, '"content"')
  return { expect: contentText(content, `${field}.content`) }
}

function wrong(field: string, expected: string): RequestError {
  return new RequestError('invalid_value', `${field}: it is not ${expected}`, field)
}
