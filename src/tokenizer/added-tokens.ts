/**
 * The added tokens of tokenizer.json: strings found in a text before any pattern splits it. The longest of the earliest
 * wins, as in the Rust library; `lstrip` and `rstrip` swallow the white space beside a token.
 */

export interface AddedToken {
  readonly id: number
  readonly content: string
  readonly special: boolean
  readonly normalized: boolean
  readonly lstrip: boolean
  readonly rstrip: boolean
  readonly singleWord: boolean
}

/** A stretch of text, or the id that stands for it. */
export interface Span {
  readonly start: number
  readonly end: number
  readonly id: number | undefined
}

export interface SplitOptions {
  readonly allowSpecial: boolean
  /** Offsets, ascending, that no special token may span. */
  readonly cuts: readonly number[]
}

/** Finds a fixed set of added tokens. Built once; the pattern is an alternation, longest first, so a match is linear. */
export function createAddedTokenSplitter(tokens: readonly (AddedToken & { readonly text: string })[]) {
  const byText = new Map(tokens.filter((t) => t.text !== '').map((t) => [t.text, t]))
  if (byText.size === 0)
    return (text: string): Span[] => (text === '' ? [] : [{ start: 0, end: text.length, id: undefined }])
  const longestFirst = [...byText.keys()].sort((a, b) => b.length - a.length)
  const pattern = new RegExp(longestFirst.map(escapeRegExp).join('|'), 'gu')
  return (text: string, options: SplitOptions): Span[] => {
    const spans: Span[] = []
    let done = 0
    for (const match of text.matchAll(pattern)) {
      const token = byText.get(match[0])!
      const range = { start: match.index, end: match.index + match[0].length }
      if (token.special && !(options.allowSpecial && !spansCut(range, options.cuts))) continue
      if (token.singleWord && !standsAlone(text, range)) continue
      const start = token.lstrip ? Math.max(done, text.slice(0, range.start).trimEnd().length) : range.start
      const end = token.rstrip ? text.length - text.slice(range.end).trimStart().length : range.end
      if (start > done) spans.push({ start: done, end: start, id: undefined })
      spans.push({ start, end, id: token.id })
      done = end
    }
    if (done < text.length) spans.push({ start: done, end: text.length, id: undefined })
    return spans
  }
}

function spansCut({ start, end }: { start: number; end: number }, cuts: readonly number[]): boolean {
  return cuts.some((cut) => start < cut && cut < end)
}

function standsAlone(text: string, { start, end }: { start: number; end: number }): boolean {
  return (
    !/[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}]$/u.test(text.slice(0, start)) &&
    !/^[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}]/u.test(text.slice(end))
  )
}

export function escapeRegExp(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/-]/g, (char) => (char === '-' ? '\\x2d' : `\\${char}`))
}
