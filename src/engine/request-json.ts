/** A request that came as JSON (plain-request.ts wrote it): checked field by field. */
import type { ChatMessage } from '../chat-template/chat-template.ts'
import { SpoutError } from '../errors.ts'
import { GREEDY, resolveSampling, type SamplingOptions } from '../sampling/sampling-params.ts'
import { type GenerateRequest, MOST_DRAFTS } from './request.ts'
import { structureFromJson } from './structure-json.ts'

/** @throws SpoutError `data` that names the field. */
export function requestFromJson(value: unknown): GenerateRequest {
  const fields = record(value, 'request')
  for (const name of Object.keys(fields)) if (!Object.hasOwn(READERS, name)) throw wrong(name, 'not a field')
  const read = Object.entries(READERS).map(([name, reader]) => [name, reader(fields[name], name)])
  return Object.fromEntries(read) as GenerateRequest
}

type Reader = (value: unknown, name: string) => unknown

const flag: Reader = (value, name) => {
  if (typeof value !== 'boolean') throw wrong(name, 'not true or false')
  return value
}
const text: Reader = (value, name) => {
  if (typeof value !== 'string') throw wrong(name, 'not a text')
  return value
}

/** Every field of a request: one that is added there and not here does not compile. */
const READERS: { readonly [K in keyof GenerateRequest]-?: Reader } = {
  messages(value, name): ChatMessage[] {
    if (!Array.isArray(value) || value.length === 0) throw wrong(name, 'not a list of messages')
    return value.map((each, i) => {
      const message = record(each, `${name}[${i}]`)
      text(message.role, `${name}[${i}].role`)
      text(message.content, `${name}[${i}].content`)
      return message as unknown as ChatMessage
    })
  },
  text,
  raw: flag,
  allowSpecial: flag,
  maxTokens(value, name) {
    if (value === undefined) return undefined
    if (!Number.isSafeInteger(value) || (value as number) < 0) throw wrong(name, 'not a whole number from 0')
    return value
  },
  stopStrings(value, name) {
    if (!Array.isArray(value)) throw wrong(name, 'not a list of texts')
    for (const each of value) if (text(each, name) === '') throw wrong(name, 'has an empty text')
    return value
  },
  stopInReasoning: flag,
  ignoreEos: flag,
  sampling: (value, name) => samplingFromJson(value, name),
  templateArgs: (value, name) => record(value, name),
  drafts(value, name) {
    if (value === undefined || value === 'auto' || value === 'off') return value
    if (!Number.isInteger(value) || (value as number) < 1 || (value as number) > MOST_DRAFTS)
      throw wrong(name, 'not auto, off or a number of guesses')
    return value
  },
  expect: (value, name) => (value === undefined ? undefined : text(value, name)),
  structure(value, name) {
    if (value === undefined) return undefined
    try {
      return structureFromJson(value)
    } catch (cause) {
      if (!(cause instanceof SpoutError)) throw cause
      throw new SpoutError('data', `request: ${name}: ${cause.message}`, { cause })
    }
  },
}

/** @throws SpoutError `data` that names the field. */
function samplingFromJson(value: unknown, name: string): SamplingOptions {
  const { seed, logitBias, ...rest } = record(value, name)
  if (seed !== undefined && !(typeof seed === 'string' && /^\d{1,20}$/.test(seed)))
    throw wrong(`${name}.seed`, 'not a text of digits')
  if (logitBias !== undefined && !isPairs(logitBias)) throw wrong(`${name}.logitBias`, 'not a list of pairs')
  for (const field of Object.keys(rest)) {
    if (!Object.hasOwn(GREEDY, field)) throw wrong(`${name}.${field}`, 'not a field')
    if (Array.isArray(rest[field]) !== LISTS.has(field)) throw wrong(`${name}.${field}`, 'of another type')
  }
  const { bannedSequences } = rest
  if (Array.isArray(bannedSequences) && !bannedSequences.every(Array.isArray))
    throw wrong(`${name}.bannedSequences`, 'not lists of ids')
  const options: Record<string, unknown> = { ...rest }
  if (seed !== undefined) options.seed = BigInt(seed)
  if (logitBias !== undefined) options.logitBias = new Map(logitBias)
  try {
    resolveSampling(options)
  } catch (cause) {
    const why = cause instanceof SpoutError ? cause.message : 'of another type'
    throw new SpoutError('data', `request: ${name}: ${why}`, { cause })
  }
  return options
}

const LISTS: ReadonlySet<string> = new Set(['bannedIds', 'bannedSequences'])

function isPairs(value: unknown): value is [number, number][] {
  return Array.isArray(value) && value.every((each) => Array.isArray(each) && each.length === 2)
}

function record(value: unknown, name: string): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw wrong(name, 'not an object')
  return value as Readonly<Record<string, unknown>>
}

function wrong(name: string, why: string): SpoutError {
  return new SpoutError('data', `request: ${name}: ${why}`)
}
