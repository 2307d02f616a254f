/** A conversation as data: a system message and finished turns. Saved as JSON that other programs can read too. */
import type { ChatMessage } from '../../chat-template/chat-template.ts'
import { SpoutError } from '../../errors.ts'
import { readRegular } from '../../system/regular-file.ts'
import { toJson } from '../../system/text-display.ts'

export interface Turn {
  readonly user: string
  /** Empty when no answer came. */
  readonly assistant: string
}

export class Transcript {
  system: string | undefined
  turns: Turn[] = []
  /** How many of the oldest turns the context has no room for: kept, but the model is not told of them. */
  left = 0

  constructor(system?: string) {
    this.system = system
  }

  /** The turns as messages, the system message not among them. @param left how many of the oldest are left out */
  history(left = this.left): ChatMessage[] {
    return messagesOf(this.turns.slice(left))
  }

  /** Everything that was said, as it is saved. */
  document(model: string): string {
    const system = this.system === undefined ? [] : [{ role: 'system', content: this.system }]
    return `${toJson({ model, messages: [...system, ...messagesOf(this.turns)] }, 2)}\n`
  }

  /** Takes the oldest turns away, those first that the model is not told of. */
  forget(count: number): number {
    const gone = this.turns.splice(0, count).length
    this.left = Math.max(0, this.left - gone)
    return gone
  }

  dropLast(): void {
    this.turns.pop()
    this.left = Math.min(this.left, this.turns.length)
  }

  clear(): void {
    this.forget(this.turns.length)
  }

  /** Takes the place of this conversation. @throws SpoutError `not-found` or `data`; nothing has changed then. */
  load(path: string): void {
    const { system, turns } = parseMessages(readJson(path), path)
    this.system = system
    this.turns = turns
    this.left = 0
  }
}

/** `1 turn`, `2 turns`. */
export function turnsText(count: number): string {
  return count === 1 ? '1 turn' : `${count} turns`
}

function messagesOf(turns: readonly Turn[]): ChatMessage[] {
  return turns.flatMap(({ user, assistant }) => [
    { role: 'user', content: user },
    { role: 'assistant', content: assistant },
  ])
}

/** Bytes of a saved conversation. */
const LARGEST = 256 * 2 ** 20

function readJson(path: string): unknown {
  let text: string
  try {
    text = readRegular(path, { most: LARGEST }).toString('utf8')
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    const why = code === 'ENOTREG' ? (cause as Error).message : code
    throw new SpoutError('not-found', `${path}: cannot be read: ${why}`, { cause })
  }
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw notAConversation(path, 'not JSON', cause)
  }
}

/** System message, then user and assistant in turn. */
function parseMessages(document: unknown, path: string): { system: string | undefined; turns: Turn[] } {
  const list = (document as { messages?: unknown } | null)?.messages
  if (!Array.isArray(list)) throw notAConversation(path, 'it has no list of messages')
  const messages = list.map((message: unknown, i) => parseMessage(message, `${path}: message ${i + 1}`))
  const system = messages[0]?.role === 'system' ? messages.shift()!.content : undefined
  const turns: Turn[] = []
  for (let i = 0; i < messages.length; i += 2) {
    const [user, assistant] = [messages[i]!, messages[i + 1]]
    if (user.role !== 'user' || assistant?.role !== 'assistant') {
      throw notAConversation(path, 'user and assistant do not take turns')
    }
    turns.push({ user: user.content, assistant: assistant.content })
  }
  return { system, turns }
}

function parseMessage(message: unknown, where: string): { role: string; content: string } {
  const { role, content } = (message ?? {}) as { role?: unknown; content?: unknown }
  if (typeof role === 'string' && typeof content === 'string') return { role, content }
  throw notAConversation(where, 'role and content must be texts')
}

function notAConversation(where: string, why: string, cause?: unknown): SpoutError {
  return new SpoutError('data', `${where}: no conversation: ${why}`, {
    hint: 'what /save writes can be loaded',
    ...(cause === undefined ? {} : { cause }),
  })
}
