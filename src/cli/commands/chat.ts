/** `spout chat`: a conversation. Answers are on stdout; prompt, notes and figures on stderr. */
import { openEngine } from '../../open/open-engine.ts'
import { type ChatReply, chatCommandRows, findChatCommand, parseChatCommand } from '../chat/chat-commands.ts'
import { ChatSession } from '../chat/chat-session.ts'
import { openHistoryFile } from '../chat/history-file.ts'
import { editMessages, type MessageSource, readMessages } from '../chat/message-source.ts'
import type { Context } from '../context.ts'
import { engineOptions } from '../engine-options.ts'
import { CHAT_FLAGS } from '../flags.ts'
import { commandHelp, section } from '../help/help-text.ts'
import { abortable, dieOf } from '../interrupt.ts'
import type { Options } from '../options.ts'
import { prepareLater } from '../prepare-later.ts'
import { parseCommandLine } from '../program.ts'
import { readText } from '../prompt-source.ts'
import { checkFlags, flagNotes } from '../request-from-flags.ts'
import { namingSettings, withSettings } from '../settings.ts'
import { noteEmbedded } from '../terminal/embedded-note.ts'
import { asSpoutError, writeError, writeLine } from '../terminal/messages.ts'
import { openStatusLine } from '../terminal/status-line.ts'

function chatHelp(): string {
  return commandHelp({
    usage: 'spout chat [options] [first message...]',
    summary:
      'Talks with a model. Between turns its memory of the conversation is kept: only what is new is read, and an ' +
      'answer is read once more while you type, so that the next is what a new run would say. A line is ' +
      'a message; one that ends with \\ goes on, and so does all between """ and """. Ctrl-C stops an answer; on an ' +
      'empty line, twice, it leaves. Piped lines are messages too.',
    more: [section('In a conversation', chatCommandRows())],
    flags: CHAT_FLAGS,
  })
}

export async function chatCommand(argv: readonly string[], context: Context): Promise<void> {
  const line = { name: 'spout chat', flags: CHAT_FLAGS, help: chatHelp, words: true }
  const { words, options: given } = parseCommandLine<Options>(argv, line)
  checkFlags(given)
  const options = withSettings({ ...given, stdin: true, newline: true })
  if (!options.quiet) flagNotes(options).forEach(writeLine)
  const system = options.systemFile === undefined ? options.system : await readText(options.systemFile)
  const engine = await load(options, context).catch((error) => {
    throw namingSettings(error, given)
  })
  const session = new ChatSession({ engine, options, context, system })
  const io = process.stdin.isTTY ? terminalIo(context) : pipeIo(context)
  try {
    noteEmbedded(options)
    if (!options.quiet) greet(session, options, io)
    if (words.length > 0) await answer(session, words.join(' '), io)
    await converse(session, io)
  } finally {
    io.source.close()
    await session.dispose()
    await engine.dispose()
    if (engine.model.mayPrepare) prepareLater(options)
  }
}

async function load(options: Options, context: Context) {
  const status = openStatusLine({ enabled: !options.quiet, color: options.color })
  status.show('loading the model')
  context.interrupts.listen()
  try {
    return await abortable(
      openEngine(engineOptions(options, context, { wantsChat: true })),
      context.interrupts.signal,
    )
  } finally {
    status.clear()
    context.interrupts.release()
  }
}

/** Where messages come from and who may stop an answer: the terminal or the pipe of the user. */
interface ChatIo {
  readonly source: MessageSource
  readonly isTerminal: boolean
  /** Runs `work` with a signal that aborts when the answer is to stop. */
  attend<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T>
}

/** Ctrl-C stops the answer and nothing else; a second one, while it has not stopped, ends the process. */
function terminalIo({ interrupts }: Context): ChatIo {
  let warned = false
  const source = editMessages({
    history: openHistoryFile(),
    onInterrupt() {
      if (warned) return leave(source)
      warned = true
      writeLine('Ctrl-C once more, or Ctrl-D, leaves')
    },
  })
  return {
    isTerminal: true,
    source,
    async attend(work) {
      warned = false
      const controller = new AbortController()
      const stop = (): void => {
        if (controller.signal.aborted) leave(source)
        warned = true
        controller.abort()
      }
      const lose = (): void => controller.abort(interrupts.signal.reason)
      interrupts.signal.addEventListener('abort', lose)
      process.on('SIGINT', stop)
      try {
        return await work(controller.signal)
      } finally {
        process.off('SIGINT', stop)
        interrupts.signal.removeEventListener('abort', lose)
      }
    },
  }
}

function leave(source: MessageSource): void {
  source.close()
  dieOf('SIGINT')
}

/** A signal ends the whole conversation, after what was said so far. */
function pipeIo({ interrupts }: Context): ChatIo {
  return {
    isTerminal: false,
    source: readMessages(process.stdin),
    async attend(work) {
      interrupts.listen()
      try {
        const reply = await work(interrupts.signal)
        interrupts.signal.throwIfAborted()
        return reply
      } finally {
        interrupts.release()
      }
    },
  }
}

function greet({ engine: { model } }: ChatSession, options: Options, io: ChatIo): void {
  if (!model.hasChatTemplate && !options.raw) {
    writeLine(`${model.id} has no chat template: it continues the text`)
  }
  if (io.isTerminal) writeLine(`${model.id} (${model.dtype}); /help lists the commands, Ctrl-D leaves`)
}

async function converse(session: ChatSession, io: ChatIo): Promise<void> {
  for (;;) {
    session.settle()
    const message = await io.source.next()
    if (message === undefined) return
    if (message.trim() === '') continue
    const reply = await answer(session, message, io)
    if (reply?.note !== undefined) writeLine(reply.note)
    if (reply?.leave) return
  }
}

/** On a terminal a failure ends the turn, behind a pipe the run. */
async function answer(session: ChatSession, message: string, io: ChatIo): Promise<ChatReply | undefined> {
  try {
    return await io.attend((signal) => act(session, message, signal))
  } catch (error) {
    const failure = asSpoutError(error)
    if (!io.isTerminal || failure.code === 'internal' || failure.code === 'output') throw error
    writeError(failure)
    return undefined
  }
}

async function act(
  session: ChatSession,
  message: string,
  signal: AbortSignal,
): Promise<ChatReply | undefined> {
  const command = parseChatCommand(message)
  if (command !== undefined) {
    await session.rest()
    return findChatCommand(command.name).run(session, command.words, signal)
  }
  await session.say(message, signal)
  return undefined
}
