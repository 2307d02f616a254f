/** `spout chat`: a conversation. Answers are on stdout; prompt, notes and figures on stderr. */
import type { SpoutError } from '../../errors.ts'
import { quote } from '../../system/text-display.ts'
import {
  type ChatReply,
  chatCommandRows,
  findChatCommand,
  isChatCommand,
  parseChatCommand,
} from '../chat/chat-commands.ts'
import { type ChatIo, pipeIo, terminalIo } from '../chat/chat-io.ts'
import { ChatSession } from '../chat/chat-session.ts'
import { historyPath, openHistoryFile } from '../chat/history-file.ts'
import { type KeptConversation, keptPath, openKept } from '../chat/kept-conversation.ts'
import { Transcript, turnsText } from '../chat/transcript.ts'
import { commandOptions } from '../command-options.ts'
import type { Context } from '../context.ts'
import { engineOptions } from '../engine-options.ts'
import { CHAT_FLAGS } from '../flags.ts'
import { commandHelp, section } from '../help/help-text.ts'
import { abortable } from '../interrupt.ts'
import { openHere } from '../open-here.ts'
import type { Options } from '../options.ts'
import { prepareLater } from '../prepare-later.ts'
import { parseCommandLine } from '../program.ts'
import { readText } from '../prompt-source.ts'
import { serversOf } from '../remote/engine-flags.ts'
import { openServers } from '../remote/open-for.ts'
import { checkFlags, flagNotes } from '../request-from-flags.ts'
import { namingSettings } from '../settings.ts'
import { systemRefused } from '../system-refused.ts'
import { noteEmbedded } from '../terminal/embedded-note.ts'
import { asSpoutError, writeError, writeLine } from '../terminal/messages.ts'
import { openStatusLine } from '../terminal/status-line.ts'

function chatHelp(): string {
  return commandHelp({
    usage: 'spout chat [options] [first message...]',
    summary:
      'Talks with a model. Between turns its memory of the conversation is kept: only what is new is read, and an ' +
      'answer is read once more while you type, so that the next is what a new run would say. A line is ' +
      'a message; one that ends with \\ goes on, and so does all between """ and """; what is pasted is one message. Ctrl-C ' +
      'stops an answer; on an empty line, twice, it leaves. Piped lines are messages too. The last conversation is kept for ' +
      '--continue, for its owner only.',
    more: [section('In a conversation', chatCommandRows())],
    flags: CHAT_FLAGS,
  })
}

export async function chatCommand(argv: readonly string[], context: Context): Promise<void> {
  const line = { name: 'spout chat', flags: CHAT_FLAGS, help: chatHelp, words: true }
  const { words, options: given } = parseCommandLine<Options>(argv, line)
  checkFlags(given)
  const options = commandOptions(given)
  const note = (text: string): void => {
    if (!options.quiet) writeLine(text)
  }
  flagNotes(options).forEach(note)
  const system = options.systemFile === undefined ? options.system : await readText(options.systemFile)
  const transcript = new Transcript(system)
  const kept = openLast(options, { transcript, note })
  const engine = await load(options, context).catch((error) => {
    throw namingSettings(error, given)
  })
  const session = new ChatSession({ engine, options, context, transcript, kept, note })
  const io = process.stdin.isTTY ? openTerminal(session, { options, context }) : pipeIo(context)
  const talk: Talk = { session, io, options, note }
  try {
    noteEmbedded(options)
    greet(talk)
    if (words.length > 0) await answer(talk, words.join(' '))
    await converse(talk)
    await session.keepForNextRun()
  } finally {
    io.source.close()
    await session.dispose()
    await engine.dispose()
    if (engine.model.mayPrepare) await prepareLater(options)
  }
}

/** A conversation, and who talks. */
interface Talk {
  readonly session: ChatSession
  readonly io: ChatIo
  readonly options: Options
  readonly note: (text: string) => void
}

/** What `--continue` goes on with is put into `transcript`. Gives where this conversation is kept, if it is. */
function openLast(
  options: Options,
  { transcript, note }: { transcript: Transcript; note: Talk['note'] },
): KeptConversation | undefined {
  // What runs in a pipe does not take the place of what was said on a terminal, unless it was asked to go on with it.
  const keeps = options.keep !== false && (process.stdin.isTTY || options.continue)
  if (!keeps && !options.continue) return undefined
  const kept = openKept(keptPath())
  if (options.continue) {
    const { system } = transcript
    if (kept.exists) kept.load(transcript)
    transcript.system = system ?? transcript.system
    const last = transcript.turns.at(-1)
    if (last === undefined) note('no conversation was kept; this is a new one')
    else
      note(`goes on after ${turnsText(transcript.turns.length)}; the last was about ${quote(last.user, 60)}`)
  }
  return keeps ? kept : undefined
}

function openTerminal(
  session: ChatSession,
  { options, context }: { options: Options; context: Context },
): ChatIo {
  const history = openHistoryFile(options.keep === false ? undefined : historyPath())
  return terminalIo(context, { history, onLeave: () => session.endNow() })
}

async function load(options: Options, context: Context) {
  const status = openStatusLine({ enabled: !options.quiet, color: options.color })
  status.show('loading the model')
  context.interrupts.listen()
  try {
    const isElsewhere = serversOf(options).length > 0
    const opening = isElsewhere
      ? openServers(options, context, { parallel: 1, whole: false })
      : openHere(engineOptions(options, context, { wantsChat: true, readsPrompts: true }))
    return await abortable(opening, context.interrupts.signal)
  } finally {
    status.clear()
    context.interrupts.release()
  }
}

function greet({ session, io, options, note }: Talk): void {
  const { model } = session.engine
  if (!model.hasChatTemplate && !options.raw) note(`${model.id} has no chat template: it continues the text`)
  if (io.isTerminal) note(`${model.id} (${model.dtype}); /help lists the commands, Ctrl-D leaves`)
}

async function converse(talk: Talk): Promise<void> {
  const { session, io } = talk
  for (;;) {
    session.settle()
    const message = await io.source.next()
    if (message === undefined) return
    if (message.trim() === '') continue
    const reply = await answer(talk, message)
    if (reply?.note !== undefined) writeLine(reply.note)
    if (reply?.leave) return
  }
}

/** On a terminal a failure ends the turn, behind a pipe the run. */
async function answer(talk: Talk, message: string): Promise<ChatReply | undefined> {
  const { io } = talk
  try {
    return await io.attend((signal) => act(talk, message, signal))
  } catch (error) {
    const hasSystem = talk.session.transcript.system !== undefined
    const told = hasSystem ? systemRefused(error, '/system - takes the system message away') : error
    const failure = asSpoutError(told)
    if (!io.isTerminal || isEnd(failure)) throw told
    writeError(failure)
    return undefined
  }
}

/** The answers' output is gone, or we are wrong: nothing can be said any more. */
function isEnd({ code, message }: SpoutError): boolean {
  return code === 'internal' || (code === 'output' && message.startsWith('output:'))
}

async function act(talk: Talk, message: string, signal: AbortSignal): Promise<ChatReply | undefined> {
  const { session } = talk
  const command = parseChatCommand(message)
  if (command !== undefined && obeys(talk, command.name)) {
    await session.stopSettling()
    return findChatCommand(command.name).run(session, command.words, signal)
  }
  await session.say(message, signal)
  return undefined
}

/** Lines of a pipe may be anybody's text: they command nothing unless that is asked for. */
function obeys({ io, options, note }: Talk, name: string): boolean {
  if (io.isTerminal || options.commands) return true
  if (isChatCommand(name)) note(`/${name} from a pipe is a message; --commands obeys it`)
  return false
}
