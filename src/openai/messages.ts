/** The messages of a request, checked. */
import type { ChatMessage } from '../chat-template/chat-template.ts'
import { RequestError } from './request-error.ts'

/** OpenAI's newer name of it is `developer`; templates know the older. */
const ROLES: Readonly<Record<string, string>> = {
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

/** @throws RequestError naming the message. */
export function readMessages(value: unknown): LineMessages {
  if (!Array.isArray(value) || value.length === 0) {
    throw new RequestError('invalid_value', 'messages: it is not a list of messages', 'messages')
  }
  const messages = value.map((each: unknown, i) => readMessage(each, `messages[${i}]`))
  const last = messages.at(-1)!
  if (last.role !== 'user') {
    throw new RequestError(
      'invalid_value',
      `messages: the last is the ${last.role}'s, not the user's`,
      'messages',
    )
  }
  return { history: messages.slice(0, -1), prompt: last.content }
}

interface TextMessage extends ChatMessage {
  readonly content: string
}

function readMessage(value: unknown, at: string): TextMessage {
  if (typeof value !== 'object' || value === null) {
    throw new RequestError('invalid_value', `${at}: it is not an object`, at)
  }
  const { role, content, ...rest } = value as Readonly<Record<string, unknown>>
  const known = typeof role === 'string' && Object.hasOwn(ROLES, role) ? ROLES[role] : undefined
  if (known === undefined) {
    const roles = Object.keys(ROLES).join(', ')
    throw new RequestError('invalid_value', `${at}.role: it is not one of ${roles}`, `${at}.role`)
  }
  for (const [field, given] of Object.entries(rest)) {
    const isNone = given === null || (Array.isArray(given) && given.length === 0)
    if (!isNone && !(KEPT as readonly string[]).includes(field)) {
      throw new RequestError('unsupported_field', `${at}.${field}: not supported`, `${at}.${field}`)
    }
  }
  const kept = KEPT.flatMap((field) => (typeof rest[field] === 'string' ? [[field, rest[field]]] : []))
  return { role: known, content: contentText(content, `${at}.content`), ...Object.fromEntries(kept) }
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
