/** What begins with a slash in a conversation. */
import { SpoutError } from '../../errors.ts'
import { columns, type Row } from '../help/columns.ts'
import { nearest } from '../nearest.ts'
import type { ChatSession } from './chat-session.ts'

export interface ChatCommand {
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
    async run({ transcript }, words) {
      if (words !== '') transcript.system = words === '-' ? undefined : words
      const { system } = transcript
      return { note: system === undefined ? 'no system message' : `system: ${system}` }
    },
  },
  save: {
    usage: '/save <file>',
    help: 'write the conversation, as JSON',
    async run({ transcript, engine }, words) {
      await transcript.save(given(words, '/save <file>'), engine.model.id)
      return { note: `saved ${turns(transcript.turns.length)}` }
    },
  },
  load: {
    usage: '/load <file>',
    help: 'go on with a saved conversation',
    async run({ transcript }, words) {
      transcript.load(given(words, '/load <file>'))
      return { note: `loaded ${turns(transcript.turns.length)}` }
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
    async run({ transcript }) {
      transcript.turns = []
      return { note: 'forgotten' }
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
  const found = /^\/([a-z]+)(?:\s+([\s\S]*))?$/.exec(message.trimEnd())
  return found === null ? undefined : { name: found[1]!, words: found[2] ?? '' }
}

/** @throws SpoutError `usage` with the nearest name. */
export function findChatCommand(name: string): ChatCommand {
  if (Object.hasOwn(COMMANDS, name)) return COMMANDS[name]!
  const near = nearest(name, Object.keys(COMMANDS))
  throw new SpoutError('usage', `/${name}: no such command`, {
    hint: near === undefined ? '/help; to send it as a message, begin with a space' : `did you mean /${near}`,
  })
}

function given(words: string, usage: string): string {
  if (words !== '') return words
  throw new SpoutError('usage', `${usage}: a file is missing`)
}

function turns(count: number): string {
  return count === 1 ? '1 turn' : `${count} turns`
}
