/**
 * What a template makes of the messages' contents. Most write a content that is a text, some go through a list of parts; with
 * the wrong one of the two they write nothing in its place, and the model answers to nothing. So what was rendered is looked
 * at: where it does not show every content, words that nobody writes are put in their place to find out which are lost.
 */
import { SpoutError } from '../errors.ts'
import type { ChatMessage, ChatTemplate, RenderOptions } from './chat-template.ts'

/** Messages in the form that a template wants, and what is to be said about it. */
interface FormedMessages {
  readonly messages: readonly ChatMessage[]
  readonly notes: readonly string[]
}

/**
 * @throws SpoutError `config` of the template, or when no form of the last message reaches the model.
 */
export function formMessages(
  template: ChatTemplate,
  messages: readonly ChatMessage[],
  options: RenderOptions,
): FormedMessages {
  const plain = attempt(template, messages, options)
  if (plain.text !== undefined && showsAll(plain.text, messages)) return { messages, notes: [] }
  const lost = lostIn(template, messages, options)
  const isWhole = plain.text !== undefined && !lost.has(messages.length - 1)
  if (isWhole && lost.size === 0) return { messages, notes: [] }
  const parts = messages.map(inParts)
  const lostParts =
    attempt(template, parts, options).text === undefined ? undefined : lostIn(template, parts, options)
  const isBetter = lostParts !== undefined && !lostParts.has(messages.length - 1)
  if (isBetter && (!isWhole || lostParts.size < lost.size))
    return { messages: parts, notes: notesOf(messages, lostParts) }
  if (plain.text === undefined) throw withHint(plain.error, template, messages, options)
  if (!isWhole)
    throw new SpoutError('config', 'chat template: it leaves out what the message says', {
      hint: '--raw sends the prompt without a template, --chat-template FILE with another',
    })
  return { messages, notes: notesOf(messages, lost) }
}

interface Attempt {
  readonly text?: string
  readonly error?: unknown
}

function attempt(template: ChatTemplate, messages: readonly ChatMessage[], options: RenderOptions): Attempt {
  try {
    return { text: template.render(messages, options) }
  } catch (error) {
    return { error }
  }
}

/** Shorter ones may stand in a template by chance. */
const TELLING = 12

/** Whether every content is there, white space aside. False where that cannot be told. */
function showsAll(text: string, messages: readonly ChatMessage[]): boolean {
  const shown = squeezed(text)
  return messages.every(({ content }) => {
    if (typeof content !== 'string') return true
    const sought = squeezed(content)
    return sought.length >= TELLING && shown.includes(sought)
  })
}

function squeezed(text: string): string {
  return text.replace(/\s+/g, '')
}

const LETTERS = 'abcdefghij'

/** A word that no template has. */
function probeOf(place: number): string {
  return `zqx${Array.from(String(place), (digit) => LETTERS[Number(digit)]).join('')}xqz`
}

/** The places of messages whose contents do not reach the prompt; none where a probe makes the template fail. */
function lostIn(
  template: ChatTemplate,
  messages: readonly ChatMessage[],
  options: RenderOptions,
): ReadonlySet<number> {
  const probed = messages.map((message, i) => ({
    ...message,
    content: withProbe(message.content, probeOf(i)),
  }))
  const text = attempt(template, probed, options).text?.toLowerCase()
  if (text === undefined) return new Set()
  const places = messages.flatMap(({ content }, i) =>
    isEmpty(content) || text.includes(probeOf(i)) ? [] : [i],
  )
  return new Set(places)
}

function withProbe(content: unknown, probe: string): unknown {
  if (typeof content === 'string') return probe
  if (!Array.isArray(content)) return content
  return content.map((part) => (isTextPart(part) ? { ...part, text: probe } : part))
}

function isEmpty(content: unknown): boolean {
  if (typeof content === 'string') return content.trim() === ''
  return !(Array.isArray(content) && content.some(isTextPart))
}

function isTextPart(part: unknown): part is { readonly text: string } {
  return typeof part === 'object' && part !== null && 'text' in part && typeof part.text === 'string'
}

/** A content that is a text, as a list of one part. */
function inParts(message: ChatMessage): ChatMessage {
  const { content } = message
  return typeof content === 'string' ? { ...message, content: [{ type: 'text', text: content }] } : message
}

function notesOf(messages: readonly ChatMessage[], lost: ReadonlySet<number>): string[] {
  const roles = new Set([...lost].map((place) => messages[place]!.role))
  const notes: string[] = []
  if (roles.has('system')) notes.push('the chat template leaves out the system message')
  if (roles.has('user')) notes.push('the chat template leaves out earlier messages')
  return notes
}

/** Where the system message alone is what a template refuses, its place is named. */
function withHint(
  error: unknown,
  template: ChatTemplate,
  messages: readonly ChatMessage[],
  options: RenderOptions,
): unknown {
  const rest = messages.filter(({ role }) => role !== 'system')
  const isToBlame = rest.length < messages.length && attempt(template, rest, options).text !== undefined
  if (!isToBlame || !(error instanceof SpoutError)) return error
  return new SpoutError(error.code, error.message, {
    hint: 'it takes no system message: put that into the prompt (in a chat: /system - first)',
    cause: error,
  })
}
