/**
 * What a terminal sends, in units: a key, or a text that was pasted. A paste is what stands between the terminal's own
 * marks; without them, lines that arrive in one piece.
 */
export type TerminalInput = { readonly key: string } | { readonly paste: string }

const PASTE_STARTS = '\x1b[200~'
const PASTE_ENDS = '\x1b[201~'
const CTRL_C = '\x03'
/** The terminal is asked to mark what is pasted. */
export const MARK_PASTES = '\x1b[?2004h'
export const MARK_NO_PASTES = '\x1b[?2004l'

/** A control sequence, another escape, or one character. */
const KEY = /\x1b\[[0-?]*[ -/]*[@-~]|\x1bO[@-~]|\x1b[^[O]|[\s\S]/guy
/** What may go on in the next piece: the beginning of a sequence, the first half of a character. */
const UNFINISHED = /(?:\x1b(?:\[[0-?]*[ -/]*|O)?|[\ud800-\udbff])$/
/** Lines without anything that is a key. */
const LINES = /^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*[\r\n][^\x00-\x08\x0b-\x1f\x7f]/

export class KeyReader {
  #pending = ''
  #pasting = false

  /** True while what is pending may yet become a key of its own: a lone Escape. */
  get isWaiting(): boolean {
    return this.#pending !== '' && !this.#pasting
  }

  push(text: string): TerminalInput[] {
    const found: TerminalInput[] = []
    // A paste whose end mark got lost would swallow everything that is typed.
    if (this.#pasting && text === CTRL_C) found.push({ paste: asText(this.#endPaste()) })
    let rest = this.#pending + text
    this.#pending = ''
    while (rest !== '') rest = this.#pasting ? this.#readPaste(rest, found) : this.#readKeys(rest, found)
    return found
  }

  /** What was held back, as keys: nothing followed it. */
  flush(): TerminalInput[] {
    const pending = this.#pending
    this.#pending = ''
    return pending === '' ? [] : [...pending].map((key) => ({ key }))
  }

  #endPaste(): string {
    const pending = this.#pending
    this.#pending = ''
    this.#pasting = false
    return pending
  }

  #readPaste(text: string, found: TerminalInput[]): string {
    const end = text.indexOf(PASTE_ENDS)
    if (end < 0) {
      this.#pending = text
      return ''
    }
    this.#pasting = false
    found.push({ paste: asText(text.slice(0, end)) })
    return text.slice(end + PASTE_ENDS.length)
  }

  #readKeys(text: string, found: TerminalInput[]): string {
    const start = text.indexOf(PASTE_STARTS)
    const keys = start < 0 ? text.replace(UNFINISHED, '') : text.slice(0, start)
    if (start < 0) this.#pending = text.slice(keys.length)
    if (LINES.test(keys)) pushLines(keys, found)
    else for (const [key] of keys.matchAll(KEY)) found.push({ key })
    if (start < 0) return ''
    this.#pasting = true
    return text.slice(start + PASTE_STARTS.length)
  }
}

/** Lines that came in one piece; Enter at their end is a key. */
function pushLines(text: string, found: TerminalInput[]): void {
  const end = /(?:\r\n?|\n)$/.exec(text)
  found.push({ paste: asText(end === null ? text : text.slice(0, end.index)) })
  if (end !== null) found.push({ key: '\r' })
}

/** Terminals send line breaks as Enter; other controls are no text, and the terminal would obey them. */
function asText(text: string): string {
  return text.replace(/\r\n?/g, '\n').replace(/[\x00-\x08\x0b-\x1f\x7f-\x9f]/g, '')
}
