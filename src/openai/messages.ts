/** The messages of a request, checked. */
import type { ChatMessage } from '../chat-template/chat-template.ts'
import { RequestError } from './request-error.ts'

/** OpenAI's newer name of it is `developer`; templates know the older. */
type Roles = Readonly<Record<string, string>>
const ROLES: Roles = {
  ...{ system: 'system', developer: 'system', user: 'user', assistant: 'assistant' },
}
/** Fields that templates may use. */
const KEPT = ['name', 'reasoning_content'] as const

interface LineMessages {
  /** All before the last. */
  readonly history: readonly ChatMessage[]
  /** The last, which is the user's. */
  readonly prompt: string
}

/** Of a conversation whose last turn is the user's. @throws RequestError naming the message. */
export function readMessages(value: unknown): LineMessages {
  const messages = readChat(value, ROLES)
  const last = messages.at(-1)!
  if (last.role !== 'user') throw lastIs(last.role, "the user's")
  return { history: messages.slice(0, -1), prompt: last.content }
}

/** Of one whose last turn is the user's, or what a tool has answered. @throws RequestError naming the message. */
export function readToolMessages(value: unknown): readonly ChatMessage[] {
  const messages = readChat(value, { ...ROLES, tool: 'tool' })
  const { role } = messages.at(-1)!
  if (role !== 'user' && role !== 'tool') throw lastIs(role, "the user's, nor a tool's")
  return messages
}

function lastIs(role: string, not: string): RequestError {
  return new RequestError('invalid_value', `messages: the last is the ${role}'s, not ${not}`, 'messages')
}

interface TextMessage extends ChatMessage {
  readonly content: string
}

function readChat(value: unknown, roles: Roles): TextMessage[] {
  if (!Array.isArray(value) || value.length === 0) {
    throw new RequestError('invalid_value', 'messages: it is not a list of messages', 'messages')
  }
  return value.map((each: unknown, i) => readMessage(each, `messages[${i}]`, roles))
}

function readMessage(value: unknown, at: string, roles: Roles): TextMessage {
  const { role, content, ...rest } = objectIn(value, at)
  const known = typeof role === 'string' && Object.hasOwn(roles, role) ? roles[role] : undefined
  if (known === undefined) {
    const names = Object.keys(roles).join(', ')
    throw new RequestError('invalid_value', `${at}.role: it is not one of ${names}`, `${at}.role`)
  }
  const { tool_calls: calls, ...others } = rest
  const hasCalls =
    known === 'assistant' && roles.tool !== undefined && Array.isArray(calls) && calls.length > 0
  const kept = readFields(hasCalls ? others : rest, { at, more: known === 'tool' ? ['tool_call_id'] : [] })
  const text = hasCalls && content == null ? '' : contentText(content, `${at}.content`)
  if (!hasCalls) return { role: known, content: text, ...kept }
  const tool_calls = (calls as unknown[]).map((each, i) => readCall(each, `${at}.tool_calls[${i}]`))
  return { role: known, content: text, ...kept, tool_calls }
}

/** Those that templates may use; any other must say nothing. */
function readFields(
  fields: Readonly<Record<string, unknown>>,
  { at, more }: { readonly at: string; readonly more: readonly string[] },
): Readonly<Record<string, string>> {
  const known: readonly string[] = [...KEPT, ...more]
  for (const [field, given] of Object.entries(fields)) {
    const isNone = given === null || (Array.isArray(given) && given.length === 0)
    if (!isNone && !known.includes(field)) {
      throw new RequestError('unsupported_field', `${at}.${field}: not supported`, `${at}.${field}`)
    }
  }
  const kept = known.flatMap((field) => (typeof fields[field] === 'string' ? [[field, fields[field]]] : []))
  return Object.fromEntries(kept)
}

/** A call of an earlier turn. Templates write its arguments themselves: they are given as the value that they are. */
function readCall(value: unknown, at: string): object {
  const { id, type, function: called } = objectIn(value, at)
  if (type !== undefined && type !== 'function') {
    throw new RequestError('unsupported_field', `${at}.type: only function is supported`, `${at}.type`)
  }
  const { name, arguments: given } = objectIn(called, `${at}.function`)
  if (typeof name !== 'string' || typeof given !== 'string') {
    const message = `${at}.function: its name and its arguments are not both texts`
    throw new RequestError('invalid_value', message, `${at}.function`)
  }
  return {
    id: typeof id === 'string' ? id : '',
    type: 'function',
    function: { name, arguments: argumentsOf(given) },
  }
}

/** Of text that is no JSON object, the text. */
function argumentsOf(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? value : text
  } catch {
    return text
  }
}

function objectIn(value: unknown, at: string): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null) return value as Readonly<Record<string, unknown>>
  throw new RequestError('invalid_value', `${at}: it is not an object`, at)
}

/** A text, or parts that are all texts: each is a line of its own. @throws RequestError naming `at` */
export function contentText(content: unknown, at: string): string {
  if (typeof content === 'string') return content
  if (!Array.isArray(content)) throw new RequestError('invalid_value', `${at}: it is not a text`, at)
  return content
    .map((part: unknown) => {
      const { type, text } = (part ?? {}) as Readonly<Record<string, unknown>>
      if (type === 'text' && typeof text === 'string') return text
      throw new RequestError('unsupported_field', `${at}: only parts of type text are supported`, at)
    })
    .join('\n')
}
