/** A conversation as data: a system message and finished turns. Saved as JSON that other programs can read too. */
import { readFileSync } from 'node:fs'
import type { ChatMessage } from '../../chat-template/chat-template.ts'
import { SpoutError } from '../../errors.ts'
import { openFileOutput } from '../../output/file-output.ts'
import { toJson } from '../../system/text-display.ts'

export interface Turn {
  readonly user: string
  readonly assistant: string
}

export class Transcript {
  system: string | undefined
  turns: Turn[] = []

  constructor(system?: string) {
    this.system = system
  }

  /** The turns as messages, the system message not among them. */
  get history(): ChatMessage[] {
    return this.turns.flatMap(({ user, assistant }) => [
      { role: 'user', content: user },
      { role: 'assistant', content: assistant },
    ])
  }

  /** Writes the whole conversation, replacing an old file only when all is written. */
  async save(path: string, model: string): Promise<void> {
    const system = this.system === undefined ? [] : [{ role: 'system', content: this.system }]
    const document = { model, messages: [...system, ...this.history] }
    const file = openFileOutput(path)
    await file.write(`${toJson(document, 2)}\n`)
    file.commit()
  }

  /** Takes the place of this conversation. @throws SpoutError `not-found` or `data`; nothing has changed then. */
  load(path: string): void {
    const { system, turns } = parseMessages(readJson(path), path)
    this.system = system
    this.turns = turns
  }
}

function readJson(path: string): unknown {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    throw new SpoutError('not-found', `${path}: cannot be read: ${code}`, { cause })
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
