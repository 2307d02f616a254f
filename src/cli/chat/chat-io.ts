/** Who talks: somebody at a terminal, or lines from a pipe. */
import type { Context } from '../context.ts'
import { dieOf, type InterruptSignal } from '../interrupt.ts'
import { writeLine } from '../terminal/messages.ts'
import type { HistoryFile } from './history-file.ts'
import { type MessageSource, readMessages } from './message-source.ts'
import { typedMessages } from './typed-messages.ts'

export interface ChatIo {
  readonly source: MessageSource
  readonly isTerminal: boolean
  /** Runs `work` with a signal that aborts when the answer is to stop. */
  attend<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T>
}

interface TerminalIoOptions {
  readonly history: HistoryFile
  /** Before the process ends in the middle of an answer. */
  readonly onLeave: () => void
}

/** How long an answer may take to stop before a signal ends the process all the same. */
const PATIENCE_MS = 700
/** These end the conversation, Ctrl-C only the answer. */
const ENDING = ['SIGTERM', 'SIGHUP'] as const

/**
 * Ctrl-C stops the answer and nothing else. On an empty line the first one is answered by a note, and the second leaves;
 * neither is the one that stopped an answer. While an answer does not stop, the third ends the process.
 */
export function terminalIo({ interrupts }: Context, { history, onLeave }: TerminalIoOptions): ChatIo {
  let warned = false
  const leave = (name: InterruptSignal = 'SIGINT'): void => {
    onLeave()
    source.close()
    dieOf(name)
  }
  const source = typedMessages({
    history,
    onInterrupt() {
      if (warned) return leave()
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
      let presses = 0
      const stop = (): void => {
        presses++
        if (presses === 2) writeLine('stopping; Ctrl-C once more leaves')
        if (presses > 2) leave()
        controller.abort()
      }
      let ending: InterruptSignal | undefined
      const end = (name: InterruptSignal): void => {
        ending = name
        setTimeout(() => leave(name), PATIENCE_MS).unref()
        controller.abort()
      }
      const lose = (): void => controller.abort(interrupts.signal.reason)
      interrupts.signal.addEventListener('abort', lose)
      process.on('SIGINT', stop)
      for (const name of ENDING) process.on(name, end)
      try {
        return await work(controller.signal)
      } finally {
        process.off('SIGINT', stop)
        for (const name of ENDING) process.off(name, end)
        interrupts.signal.removeEventListener('abort', lose)
        if (ending !== undefined) leave(ending)
      }
    },
  }
}

/** A signal ends the whole conversation, after what was said so far. */
export function pipeIo({ interrupts }: Context): ChatIo {
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
