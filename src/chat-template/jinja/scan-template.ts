/**
 * A template into tokens: what is written as it stands, and the words of its tags. White space is Jinja's affair here: the
 * line feed after a block or a comment goes (`trim_blocks`), so does the space before one on its line (`lstrip_blocks`),
 * and a minus in a tag takes all there is. Every kind of line end is a line feed, and one at the end of the source goes.
 */
import { TemplateError } from './template-error.ts'
import { readToken, type Token } from './tokens.ts'
import { trimEnd, trimStart, WHITE_SPACE } from './white-space.ts'

const S = `${WHITE_SPACE}*`
const OPENING = new RegExp(String.raw`\{(?:%[-+]?${S}raw${S}(?:-%\}${S}|%\})|[{%#][-+]?)`, 'gu')
const ENDRAW = new RegExp(String.raw`\{%[-+]?${S}endraw${S}(?:\+%\}|-%\}${S}|%\}\n?)`, 'gu')
const COMMENT_END = new RegExp(String.raw`\+#\}|-#\}${S}|#\}\n?`, 'gu')
const BLOCK_END = new RegExp(String.raw`\+%\}|-%\}${S}|%\}\n?`, 'uy')
const OUTPUT_END = new RegExp(String.raw`-\}\}${S}|\}\}`, 'uy')

export function scanTemplate(template: string): Token[] {
  return new Scanner(template.replace(/\r\n?/g, '\n').replace(/\n$/, '')).run()
}

class Scanner {
  readonly #source: string
  readonly #tokens: Token[] = []
  #at = 0
  #line = 1
  /** Whether the place is the beginning of a line, as far as Jinja can tell. */
  #opensLine = true

  constructor(source: string) {
    this.#source = source
  }

  run(): Token[] {
    while (this.#at < this.#source.length) {
      const opening = this.#find(OPENING)
      if (opening === undefined) {
        this.#data(this.#source.slice(this.#at))
        break
      }
      this.#data(this.#before(opening))
      this.#moveTo(opening.index + opening[0].length)
      this.#tag(opening[0])
    }
    return this.#tokens
  }

  #find(pattern: RegExp): RegExpExecArray | undefined {
    pattern.lastIndex = this.#at
    return pattern.exec(this.#source) ?? undefined
  }

  #tag(opening: string): void {
    if (opening.startsWith('{#')) this.#comment()
    else if (opening.startsWith('{{')) this.#words('output', OUTPUT_END)
    else if (opening.includes('raw')) this.#raw()
    else this.#words('block', BLOCK_END)
  }

  #comment(): void {
    const end = this.#find(COMMENT_END)
    if (end === undefined) throw new TemplateError(`a comment has no end, line ${this.#line}`)
    this.#moveTo(end.index + end[0].length)
  }

  #raw(): void {
    const end = this.#find(ENDRAW)
    if (end === undefined) throw new TemplateError(`raw has no endraw, line ${this.#line}`)
    this.#data(this.#before(end))
    this.#moveTo(end.index + end[0].length)
  }

  /** The words of a tag, until what ends it: inside brackets nothing does. */
  #words(text: 'output' | 'block', ending: RegExp): void {
    const opened = this.#line
    this.#tokens.push({ kind: 'begin', text, line: opened })
    for (let depth = 0; this.#at < this.#source.length; ) {
      ending.lastIndex = this.#at
      const end = depth === 0 ? ending.exec(this.#source) : null
      if (end !== null) {
        this.#tokens.push({ kind: 'end', text, line: this.#line })
        this.#moveTo(this.#at + end[0].length)
        return
      }
      const { token, end: next } = readToken(this.#source, this.#at, this.#line)
      if (token !== undefined) this.#tokens.push(token)
      if (token?.kind === 'operator') depth = this.#depthAfter(token.text, depth)
      this.#moveTo(next)
    }
    throw new TemplateError(`a tag has no end, line ${opened}`)
  }

  #depthAfter(operator: string, depth: number): number {
    if ('([{'.includes(operator)) return depth + 1
    if (!')]}'.includes(operator)) return depth
    if (depth === 0) throw new TemplateError(`unexpected "${operator}", line ${this.#line}`)
    return depth - 1
  }

  /** The text before a tag, less the space that the tag takes. */
  #before({ index, 0: tag }: RegExpExecArray): string {
    const text = this.#source.slice(this.#at, index)
    if (tag[2] === '-') return trimEnd(text)
    const isOutput = tag.startsWith('{{')
    if (tag[2] === '+' || isOutput) return text
    const line = text.lastIndexOf('\n') + 1
    const isAlone = (line > 0 || this.#opensLine) && line < text.length && trimStart(text.slice(line)) === ''
    return isAlone ? text.slice(0, line) : text
  }

  #data(text: string): void {
    if (text !== '') this.#tokens.push({ kind: 'data', text, line: this.#line })
  }

  #moveTo(end: number): void {
    for (
      let at = this.#source.indexOf('\n', this.#at);
      at !== -1 && at < end;
      at = this.#source.indexOf('\n', at + 1)
    )
      this.#line++
    this.#opensLine = this.#source[end - 1] === '\n'
    this.#at = end
  }
}
