/** What begins with a slash in a conversation. */
import { SpoutError } from '../../errors.ts'
import { parseNumber } from '../flag-values.ts'
import { columns, type Row } from '../help/columns.ts'
import { nearest } from '../nearest.ts'
import type { ChatSession } from './chat-session.ts'
import { loadConversation, saveConversation } from './saved-file.ts'
import { turnsText } from './transcript.ts'

interface ChatCommand {
  /** As help shows it: `/save <file>`. */
  readonly usage: string
  readonly help: string
  run(session: ChatSession, words: string, signal: AbortSignal): Promise<ChatReply | undefined>
}

/** What a command has to say. */
export interface ChatReply {
  /** A line on stderr. */
  readonly note?: string
  /** The conversation is over. */
  readonly leave?: true
}

const NOTHING_SAID: ChatReply = { note: 'nothing was said yet' }

const COMMANDS: Readonly<Record<string, ChatCommand>> = {
  system: {
    usage: '/system [text]',
    help: 'show or set the system message; /system - takes it away',
    async run(session, words) {
      const { transcript } = session
      if (words !== '') transcript.system = words === '-' ? undefined : words
      if (words !== '') session.changed()
      const { system } = transcript
      return { note: system === undefined ? 'no system message' : `system: ${system}` }
    },
  },
  save: {
    usage: '/save <file>',
    help: 'write the conversation, as JSON',
    async run(session, words) {
      await saveConversation(session, given(words, '/save <file>'), { replaces: false })
      return { note: `saved ${turnsText(session.transcript.turns.length)}` }
    },
  },
  'save!': {
    usage: '/save! <file>',
    help: 'the same in place of another file',
    async run(session, words) {
      await saveConversation(session, given(words, '/save! <file>'), { replaces: true })
      return { note: `saved ${turnsText(session.transcript.turns.length)}` }
    },
  },
  load: {
    usage: '/load <file>',
    help: 'go on with a saved conversation',
    async run(session, words) {
      loadConversation(session, given(words, '/load <file>'))
      session.changed()
      return { note: `loaded ${turnsText(session.transcript.turns.length)}` }
    },
  },
  regenerate: {
    usage: '/regenerate',
    help: 'answer the last message anew',
    run: async (session, _words, signal) => ((await session.regenerate(signal)) ? undefined : NOTHING_SAID),
  },
  reset: {
    usage: '/reset',
    help: 'forget what was said; the system message stays',
    async run(session) {
      session.transcript.clear()
      session.changed()
      return { note: 'forgotten' }
    },
  },
  forget: {
    usage: '/forget [n]',
    help: 'forget the oldest turn, or the n oldest: room in a full context',
    async run(session, words) {
      const gone = session.transcript.forget(
        words === '' ? 1 : parseNumber(words, { min: 1, max: 1e9, whole: true }),
      )
      if (gone === 0) return NOTHING_SAID
      session.changed()
      return { note: `forgot ${turnsText(gone)}, ${turnsText(session.transcript.turns.length)} left` }
    },
  },
  stats: {
    usage: '/stats',
    help: 'figures of the last answer',
    run: async (session) => ((await session.showStatistics()) ? undefined : NOTHING_SAID),
  },
  exit: { usage: '/exit', help: 'leave; so does Ctrl-D', run: async () => ({ leave: true }) },
  help: {
    usage: '/help',
    help: 'this list',
    async run() {
      process.stderr.write(`${columns(chatCommandRows())}\n`)
      return undefined
    },
  },
}

export function chatCommandRows(): Row[] {
  return Object.values(COMMANDS).map(({ usage, help }) => [usage, help])
}

/** A command and what follows it; `undefined` for a message. Paths such as /etc/hosts are no commands. */
export function parseChatCommand(message: string): { name: string; words: string } | undefined {
  const found = /^\/([a-z]+!?)(?:\s+([\s\S]*))?$/.exec(message.trimEnd())
  return found === null ? undefined : { name: found[1]!, words: found[2] ?? '' }
}

/** Whether there is such a command. */
export function isChatCommand(name: string): boolean {
  return Object.hasOwn(COMMANDS, name)
}

/** @throws SpoutError `usage` with the nearest name. */
export function findChatCommand(name: string): ChatCommand {
  if (isChatCommand(name)) return COMMANDS[name]!
  const near = nearest(name, Object.keys(COMMANDS))
  throw new SpoutError('usage', `/${name}: no such command`, {
    hint: near === undefined ? '/help; to send it as a message, begin with a space' : `did you mean /${near}`,
  })
}

function given(words: string, usage: string): string {
  if (words !== '') return words
  throw new SpoutError('usage', `${usage}: a file is missing`)
}
