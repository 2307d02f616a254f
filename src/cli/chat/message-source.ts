/** Where messages come from: a line editor on a terminal, plain lines from anything else. */
import { createInterface, type Interface } from 'node:readline'
import { decodeText } from '../prompt-source.ts'
import { HISTORY_LINES, type HistoryFile } from './history-file.ts'
import { MessageLines } from './message-lines.ts'

export interface MessageSource {
  /** The next message; `undefined` at the end. Nothing is read while nobody asks. */
  next(): Promise<string | undefined>
  close(): void
}

/** Every line of `input` through the same rules as typed ones. Its bytes must be UTF-8. */
export function readMessages(input: AsyncIterable<Uint8Array>): MessageSource {
  const lines = linesOf(input)
  const assembled = new MessageLines()
  return {
    async next() {
      for (;;) {
        const { done, value } = await lines.next()
        if (done) return assembled.isOpen ? assembled.end() : undefined
        const message = assembled.push(value)
        if (message !== undefined) return message
      }
    },
    close: () => void lines.return(undefined),
  }
}

async function* linesOf(input: AsyncIterable<Uint8Array>): AsyncGenerator<string, void> {
  let rest = Buffer.alloc(0)
  let before = 0
  for await (const chunk of input) {
    rest = Buffer.concat([rest, chunk])
    for (let end = rest.indexOf(10); end >= 0; end = rest.indexOf(10)) {
      yield decodeText(rest.subarray(0, end + 1), 'stdin', before)
      rest = rest.subarray(end + 1)
      before += end + 1
    }
  }
  if (rest.length > 0) yield decodeText(rest, 'stdin', before)
}

export interface EditorOptions {
  readonly history: HistoryFile
  /** Ctrl-C on an empty line. */
  readonly onInterrupt: () => void
}

/**
 * The terminal's editor, on stderr. It has the terminal only while it waits for a message; during an answer the
 * terminal is as it was, so that Ctrl-C is a signal. Lines that are pasted together are one message.
 */
export function editMessages({ history, onInterrupt }: EditorOptions): MessageSource {
  const editor = createInterface({
    input: process.stdin,
    output: process.stderr,
    terminal: true,
    history: history.lines,
    historySize: HISTORY_LINES,
    removeHistoryDuplicates: true,
  })
  const assembled = new MessageLines()
  let settle: ((message: string | undefined) => void) | undefined
  let closed = false
  const finish = (message: string | undefined): void => {
    if (!closed) editor.pause()
    process.stdin.setRawMode(false)
    settle?.(message)
    settle = undefined
  }
  const take = (lines: readonly string[]): void => {
    for (const line of lines) if (line !== '') history.add(line)
    const messages = lines.flatMap((line) => assembled.push(line) ?? [])
    if (assembled.isOpen) prompt(editor, CONTINUE)
    else finish(messages.join('\n'))
  }
  editor.on('line', collectPaste(editor, take))
  editor.on('close', () => {
    closed = true
    finish(undefined)
  })
  editor.on('SIGINT', () => {
    const isEmpty = editor.line === '' && !assembled.isOpen
    assembled.clear()
    clearLine(editor)
    if (isEmpty) onInterrupt()
    if (!closed) prompt(editor, READY)
  })
  editor.pause()
  return {
    next() {
      if (closed) return Promise.resolve(undefined)
      process.stdin.setRawMode(true)
      prompt(editor, READY)
      return new Promise((resolve) => {
        settle = resolve
      })
    },
    close: () => editor.close(),
  }
}

const READY = '> '
const CONTINUE = '. '

function prompt(editor: Interface, mark: string): void {
  editor.setPrompt(mark)
  editor.prompt()
}

/** Leaves what was typed where it stands, and begins anew below it. */
function clearLine(editor: Interface): void {
  editor.write(null, { ctrl: true, name: 'e' })
  process.stderr.write('\n')
  editor.write(null, { ctrl: true, name: 'u' })
}

/** Lines that arrive in one piece were pasted; the last of them may still be under the cursor. */
function collectPaste(
  editor: Interface,
  deliver: (lines: readonly string[]) => void,
): (line: string) => void {
  let lines: string[] = []
  let scheduled = false
  return (line) => {
    lines.push(line)
    if (scheduled) return
    scheduled = true
    setImmediate(() => {
      scheduled = false
      if (lines.length > 1 && editor.line !== '') return
      const all = lines
      lines = []
      deliver(all)
    })
  }
}
