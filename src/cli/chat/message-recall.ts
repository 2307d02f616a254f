/** Earlier messages under the arrow keys: the next older one that begins as what was typed. */
export class MessageRecall {
  readonly #messages: readonly string[]
  #at = -1
  #typed = ''

  /** @param messages newest first */
  constructor(messages: readonly string[]) {
    this.#messages = messages
  }

  /** `undefined` when there is none. @param line what stands in the editor */
  older(line: string): string | undefined {
    if (this.#at < 0) this.#typed = line
    const next = this.#messages.findIndex((message, i) => i > this.#at && this.#matches(message, line))
    if (next < 0) return undefined
    this.#at = next
    return this.#messages[next]
  }

  /** Back towards what was typed. */
  newer(line: string): string | undefined {
    if (this.#at < 0) return undefined
    const next = this.#messages.findLastIndex((message, i) => i < this.#at && this.#matches(message, line))
    this.#at = next
    return next < 0 ? this.#typed : this.#messages[next]
  }

  #matches(message: string, line: string): boolean {
    return message.startsWith(this.#typed) && message !== line
  }
}
