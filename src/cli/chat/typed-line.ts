/** One line that is being typed, with readline's editing, on stderr. */
import { createInterface, type Interface } from 'node:readline'
import { Readable } from 'node:stream'
import { MARK_NO_PASTES, MARK_PASTES, type TerminalInput } from './key-reader.ts'
import type { MessageRecall } from './message-recall.ts'

/** What was entered: a line, which has several where they were pasted; Ctrl-C; or the end of the input. */
export type Entered =
  | { readonly kind: 'line'; readonly text: string }
  | { readonly kind: 'interrupt'; readonly wasEmpty: boolean }
  | { readonly kind: 'end' }

const OLDER = new Set(['\x1b[A', '\x1bOA', '\x10'])
const NEWER = new Set(['\x1b[B', '\x1bOB', '\x0e'])
/** A terminal without a shell that watches over jobs does not stop. */
const STOP_MS = 200

/** Where keys are handed to readline, one at a time. */
class Keys extends Readable {
  override _read(): void {}

  send(key: string): void {
    this.emit('data', Buffer.from(key))
  }
}

interface TypedLineParts {
  readonly mark: string
  readonly recall: MessageRecall
  readonly done: (entered: Entered) => void
}

/** Has the terminal from its beginning to `finish`. */
export class TypedLine {
  readonly #keys = new Keys()
  readonly #editor: Interface
  readonly #recall: MessageRecall
  readonly #done: (entered: Entered) => void
  #isOver = false
  #stopping: NodeJS.Timeout | undefined

  constructor({ mark, recall, done }: TypedLineParts) {
    this.#recall = recall
    this.#done = done
    this.#editor = createInterface({
      input: this.#keys,
      output: process.stderr,
      terminal: true,
      historySize: 0,
      prompt: mark,
    })
    this.#editor.on('line', (text) => this.finish({ kind: 'line', text }))
    this.#editor.on('close', () => this.finish({ kind: 'end' }))
    this.#editor.on('SIGINT', () => this.#interrupt())
    this.#editor.on('SIGTSTP', () => this.#stop())
    process.on('SIGCONT', this.#goOn)
    takeTerminal()
    this.#editor.prompt()
  }

  enter(input: TerminalInput): void {
    const { line } = this.#editor
    if ('paste' in input) this.#insert(input.paste)
    else if (OLDER.has(input.key)) this.#replace(this.#recall.older(line))
    else if (NEWER.has(input.key)) this.#replace(this.#recall.newer(line))
    else this.#keys.send(input.key)
  }

  finish(entered: Entered): void {
    if (this.#isOver) return
    this.#isOver = true
    if (entered.kind === 'end') process.stderr.write('\n')
    process.off('SIGCONT', this.#goOn)
    this.#editor.close()
    giveTerminal()
    this.#done(entered)
  }

  #insert(text: string): void {
    const { line, cursor } = this.#editor
    this.#set(line.slice(0, cursor) + text + line.slice(cursor), cursor + text.length)
  }

  #replace(text: string | undefined): void {
    if (text !== undefined) this.#set(text, text.length)
  }

  /** What `prompt` then draws is the line as it is. */
  #set(line: string, cursor: number): void {
    Object.assign(this.#editor, { line, cursor })
    this.#editor.prompt(true)
  }

  /** What was typed stays where it stands; the next line begins below it. */
  #interrupt(): void {
    const { line } = this.#editor
    this.#set(line, line.length)
    process.stderr.write('\n')
    this.finish({ kind: 'interrupt', wasEmpty: line === '' })
  }

  /** Ctrl-Z stops the job, whatever else is in it; with `fg` the line is there again. */
  #stop(): void {
    giveTerminal()
    this.#stopping = setTimeout(this.#goOn, STOP_MS)
    process.kill(0, 'SIGTSTP')
  }

  readonly #goOn = (): void => {
    clearTimeout(this.#stopping)
    if (this.#isOver) return
    giveTerminal()
    takeTerminal()
    // The shell has written here: nothing above the cursor is ours.
    Object.assign(this.#editor, { prevRows: 0 })
    this.#editor.prompt(true)
  }
}

function takeTerminal(): void {
  process.stdin.setRawMode?.(true)
  if (process.env.TERM !== 'dumb') process.stderr.write(MARK_PASTES)
}

function giveTerminal(): void {
  if (process.env.TERM !== 'dumb') process.stderr.write(MARK_NO_PASTES)
  process.stdin.setRawMode?.(false)
}
