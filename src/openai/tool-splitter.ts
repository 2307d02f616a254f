/** An answer with calls of tools, taken apart while it comes: what is text, which tool is called, and with what. */
import type { ToolFormat } from '../chat-template/tool-format.ts'

export interface ToolCall {
  readonly id: string
  readonly name: string
  /** JSON. */
  arguments: string
}

/** What has become certain. */
export interface SplitEvents {
  text(text: string): void
  /** A call begins. */
  call(place: number, call: ToolCall): void
  /** More of its arguments. */
  arguments(place: number, text: string): void
}

/** The beginning of a call, up to its arguments. */
const HEAD = /^\s*\{\s*"name":\s*("(?:[^"\\]|\\.)*"),\s*"(?:arguments|parameters)":\s*/

export class ToolSplitter {
  readonly calls: ToolCall[] = []
  readonly #events: SplitEvents
  readonly #marker: string
  readonly #makeId: () => string
  #state: 'text' | 'head' | 'arguments' | 'after' = 'text'
  /** Not decided yet. */
  #held = ''
  #depth = 0
  #isInString = false
  #isEscaped = false

  constructor({ open }: Pick<ToolFormat, 'open'>, events: SplitEvents, makeId: () => string) {
    this.#events = events
    this.#marker = open.trim()
    this.#makeId = makeId
  }

  push(text: string): void {
    this.#held += text
    while (this.#step());
  }

  /** Nothing more comes: what was held back is text. */
  end(): void {
    if (this.#state === 'text' && this.#held !== '') this.#events.text(this.#held)
    this.#held = ''
  }

  /** @returns whether there may be more in what is held */
  #step(): boolean {
    switch (this.#state) {
      case 'text':
        return this.#marker === '' ? this.#bareText() : this.#text()
      case 'head':
        return this.#head()
      case 'arguments':
        return this.#arguments()
      case 'after':
        return this.#seek()
    }
  }

  /** The space before a mark is the mark's. */
  #text(): boolean {
    const at = this.#held.indexOf(this.#marker)
    const sure = at >= 0 ? this.#held.slice(0, at).trimEnd() : this.#sureText()
    if (sure !== '') this.#events.text(sure)
    if (at < 0) {
      this.#held = this.#held.slice(sure.length)
      return false
    }
    this.#held = this.#held.slice(at + this.#marker.length)
    this.#state = 'head'
    return true
  }

  /** All but space at its end, and what may begin a mark. */
  #sureText(): string {
    const held = this.#held
    for (let length = Math.min(this.#marker.length - 1, held.length); length > 0; length--) {
      if (held.endsWith(this.#marker.slice(0, length))) return held.slice(0, -length).trimEnd()
    }
    return held.trimEnd()
  }

  /** A call is the whole answer, or nothing is. */
  #bareText(): boolean {
    if (this.#held.trimStart() === '') return false
    if (this.#held.trimStart().startsWith('{')) {
      this.#state = 'head'
      return true
    }
    this.#events.text(this.#held)
    this.#held = ''
    return false
  }

  #head(): boolean {
    const [head, name] = HEAD.exec(this.#held) ?? []
    if (head === undefined || head.length === this.#held.length) return false
    const call = { id: this.#makeId(), name: JSON.parse(name!) as string, arguments: '' }
    this.calls.push(call)
    this.#events.call(this.calls.length - 1, call)
    this.#held = this.#held.slice(head.length)
    this.#state = 'arguments'
    return true
  }

  #arguments(): boolean {
    let at = 0
    let isEnded = false
    while (at < this.#held.length && !isEnded) isEnded = this.#count(this.#held[at++]!)
    const text = this.#held.slice(0, at)
    this.#held = this.#held.slice(at)
    if (text !== '') {
      this.calls.at(-1)!.arguments += text
      this.#events.arguments(this.calls.length - 1, text)
    }
    if (isEnded) this.#state = 'after'
    return isEnded
  }

  /** @returns whether the outermost bracket was closed */
  #count(character: string): boolean {
    if (this.#isInString) {
      if (this.#isEscaped) this.#isEscaped = false
      else if (character === '\\') this.#isEscaped = true
      else if (character === '"') this.#isInString = false
      return false
    }
    if (character === '"') this.#isInString = true
    else if (character === '{' || character === '[') this.#depth++
    else if (character === '}' || character === ']') return --this.#depth === 0
    return false
  }

  /** The next call, if there is one: marks and line breaks are nobody's text. */
  #seek(): boolean {
    const at = this.#marker === '' ? -1 : this.#held.indexOf(this.#marker)
    if (at < 0) return false
    this.#held = this.#held.slice(at + this.#marker.length)
    this.#state = 'head'
    return true
  }
}
