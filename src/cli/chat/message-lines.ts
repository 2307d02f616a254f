/**
 * Lines to messages. A line is a message, unless it ends with a backslash or begins a block of """: then it goes on,
 * to the first line without a backslash or to the closing """.
 */
const FENCE = '"""'

export class MessageLines {
  #lines: string[] = []
  #fenced = false

  /** True in the middle of a message. */
  get isOpen(): boolean {
    return this.#lines.length > 0
  }

  /** The message that `line` completes, if it does. */
  push(line: string): string | undefined {
    if (!this.isOpen && line.startsWith(FENCE)) return this.#beginBlock(line.slice(FENCE.length))
    if (this.#fenced) return this.#continueBlock(line)
    const continues = line.endsWith('\\')
    this.#lines.push(continues ? line.slice(0, -1) : line)
    return continues ? undefined : this.end()
  }

  /** What there is, at the end of the input. */
  end(): string {
    const message = this.#lines.join('\n')
    this.clear()
    return message
  }

  clear(): void {
    this.#lines = []
    this.#fenced = false
  }

  #beginBlock(text: string): string | undefined {
    this.#fenced = true
    return this.#continueBlock(text)
  }

  #continueBlock(line: string): string | undefined {
    const closes = line.endsWith(FENCE)
    this.#lines.push(closes ? line.slice(0, -FENCE.length) : line)
    if (!closes) return undefined
    return this.end().replace(/^\n|\n$/g, '')
  }
}
