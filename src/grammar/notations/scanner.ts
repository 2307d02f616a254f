/** A text that is read from left to right, with line and column for what is wrong in it. */
import { refuse } from '../regex/refuse.ts'

export class Scanner {
  readonly text: string
  readonly where: string
  at = 0

  constructor(text: string, where: string) {
    this.text = text
    this.where = where
  }

  get isAtEnd(): boolean {
    return this.at >= this.text.length
  }

  sees(text: string): boolean {
    return this.text.startsWith(text, this.at)
  }

  take(text: string): boolean {
    if (!this.sees(text)) return false
    this.at += text.length
    return true
  }

  /** Takes a match of a sticky expression. */
  match(pattern: RegExp): RegExpExecArray | undefined {
    pattern.lastIndex = this.at
    const found = pattern.exec(this.text)
    if (found === null) return undefined
    this.at = pattern.lastIndex
    return found
  }

  /** One character. */
  point(): number {
    const point = this.text.codePointAt(this.at)
    if (point === undefined) throw this.refuse('it ends too early')
    if (point >= 0xd800 && point <= 0xdfff) throw this.refuse('half of a character')
    this.at += point > 0xffff ? 2 : 1
    return point
  }

  refuse(what: string, at = this.at): Error {
    const before = this.text.slice(0, at).split('\n')
    return refuse(this.where, `line ${before.length}, column ${before.at(-1)!.length + 1}: ${what}`)
  }
}

export const NESTED = 200
