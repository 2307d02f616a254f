/** Tokens one after the other, for a parser that looks at most two ahead. */
import { TemplateError } from './template-error.ts'
import type { Token } from './tokens.ts'

export class TokenStream {
  readonly #tokens: readonly Token[]
  #at = 0

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens
  }

  /** The next token, or one behind it; `undefined` at the end. */
  peek(ahead = 0): Token | undefined {
    return this.#tokens[this.#at + ahead]
  }

  take(): Token {
    const token = this.peek()
    if (token === undefined) throw this.unexpected()
    this.#at++
    return token
  }

  /** Whether a word of a tag follows: an operator, or a name that means something in its place. */
  is(kind: 'name' | 'operator', text: string, ahead = 0): boolean {
    const token = this.peek(ahead)
    return token?.kind === kind && token.text === text
  }

  isOperator(...texts: readonly string[]): boolean {
    const token = this.peek()
    return token?.kind === 'operator' && texts.includes(token.text)
  }

  /** Takes a word if it follows. */
  skip(kind: 'name' | 'operator', text: string): boolean {
    const found = this.is(kind, text)
    if (found) this.#at++
    return found
  }

  expect(kind: 'name' | 'operator', text: string): void {
    if (!this.skip(kind, text)) throw this.unexpected(`"${text}"`)
  }

  expectName(): string {
    if (this.peek()?.kind !== 'name') throw this.unexpected('a name')
    return this.take().text
  }

  /** The end of a tag. */
  isEnd(): boolean {
    return this.peek()?.kind === 'end'
  }

  expectEnd(): void {
    if (!this.isEnd()) throw this.unexpected('the end of the tag')
    this.#at++
  }

  unexpected(expected?: string): TemplateError {
    const token = this.peek()
    const found =
      token === undefined
        ? 'end of the template'
        : token.kind === 'end'
          ? 'end of a tag'
          : JSON.stringify(token.text.slice(0, 40))
    const line = token?.line ?? this.#tokens.at(-1)?.line ?? 1
    const wanted = expected === undefined ? '' : `, expected ${expected}`
    return new TemplateError(`unexpected ${found}${wanted}, line ${line}`)
  }
}
