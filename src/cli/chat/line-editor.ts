/**
 * The terminal's editor, on stderr. It has the terminal only while it reads: there is no editor during an answer, so
 * nothing is redrawn when the window changes, and Ctrl-C is a signal. A text that is pasted is one unit, however many
 * lines it has; so is a message that is recalled.
 */
import { StringDecoder } from 'node:string_decoder'
import { KeyReader, type TerminalInput } from './key-reader.ts'
import { MessageRecall } from './message-recall.ts'
import { type Entered, TypedLine } from './typed-line.ts'

/** A sequence that is cut by more than this was none. */
const ESCAPE_MS = 60

export class LineEditor {
  readonly #reader = new KeyReader()
  readonly #decoder = new StringDecoder('utf8')
  /** What came after Enter: it is for the next line. */
  #waiting: TerminalInput[] = []
  #reading: TypedLine | undefined
  #isEnded = false
  #timer: NodeJS.Timeout | undefined

  constructor() {
    process.stdin.on('end', () => this.#end())
    process.stdin.on('error', () => this.#end())
  }

  /** Reads one line. @param messages newest first, for the arrow keys */
  read(mark: string, messages: readonly string[]): Promise<Entered> {
    if (this.#isEnded) return Promise.resolve({ kind: 'end' })
    return new Promise((resolve) => {
      process.stdin.on('data', this.#take)
      this.#reading = new TypedLine({
        mark,
        recall: new MessageRecall(messages),
        done: (entered) => {
          process.stdin.off('data', this.#take)
          process.stdin.pause()
          this.#reading = undefined
          resolve(entered)
        },
      })
      process.stdin.resume()
      this.#deliver()
    })
  }

  /** Gives the terminal back. Whoever waits for a line gets the end. */
  close(): void {
    this.#end()
  }

  readonly #take = (bytes: Buffer): void => {
    clearTimeout(this.#timer)
    this.#waiting.push(...this.#reader.push(this.#decoder.write(bytes)))
    this.#deliver()
    if (this.#reader.isWaiting) this.#timer = setTimeout(() => this.#flush(), ESCAPE_MS)
  }

  #flush(): void {
    this.#waiting.push(...this.#reader.flush())
    this.#deliver()
  }

  #deliver(): void {
    while (this.#reading !== undefined && this.#waiting.length > 0) {
      this.#reading.enter(this.#waiting.shift()!)
    }
  }

  #end(): void {
    this.#isEnded = true
    clearTimeout(this.#timer)
    this.#reading?.finish({ kind: 'end' })
  }
}
