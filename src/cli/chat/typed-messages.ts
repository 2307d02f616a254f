/** Messages that are typed on a terminal. */
import type { HistoryFile } from './history-file.ts'
import { LineEditor } from './line-editor.ts'
import { MessageLines } from './message-lines.ts'
import type { MessageSource } from './message-source.ts'

interface TypedOptions {
  readonly history: HistoryFile
  /** Ctrl-C on an empty line. */
  readonly onInterrupt: () => void
}

const READY = '> '
const CONTINUE = '. '

/** A line is a message, unless it asks for more; lines that are pasted or recalled together are one as they are. */
export function typedMessages({ history, onInterrupt }: TypedOptions): MessageSource {
  const editor = new LineEditor()
  const assembled = new MessageLines()
  return {
    async next() {
      for (;;) {
        const entered = await editor.read(assembled.isOpen ? CONTINUE : READY, history.messages)
        if (entered.kind === 'end') return undefined
        if (entered.kind === 'interrupt') {
          if (entered.wasEmpty && !assembled.isOpen) onInterrupt()
          assembled.clear()
          continue
        }
        const message = takeLine(assembled, entered.text)
        if (message === undefined) continue
        if (message.trim() !== '') history.add(message)
        return message
      }
    },
    close: () => editor.close(),
  }
}

function takeLine(assembled: MessageLines, text: string): string | undefined {
  if (!assembled.isOpen && text.includes('\n')) return text
  let message: string | undefined
  for (const line of text.split('\n')) message = assembled.push(line)
  return message
}
