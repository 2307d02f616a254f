/**
 * Added tokens are found in a text before any pattern splits it. The earliest match wins, of those the longest, as in the
 * Rust library; a match that does not count (a special token in plain text, a word character beside it) is passed over whole.
 */
import type { AddedToken } from './tokenizer-json.ts'
import type { Work } from './work.ts'

/** A stretch of the text: its offsets, and the id that stands for it. */
export interface Span {
  readonly start: number
  readonly end: number
  readonly id: number | undefined
}

export interface SplitRule {
  readonly allowSpecial: boolean
  /** Offsets, ascending, that no special token may span. */
  readonly cuts: readonly number[]
}

/** @param tokens added tokens with the text each is looked for by. */
export function createAddedTokenSplitter(
  tokens: readonly { readonly token: AddedToken; readonly text: string }[],
  work: Work,
): (text: string, rule: SplitRule) => Span[] {
  const findLongest = createFinder(tokens, work)
  if (findLongest === undefined)
    return (text) => (text === '' ? [] : [{ start: 0, end: text.length, id: undefined }])
  return (text, rule) => {
    const spans: Span[] = []
    let done = 0
    for (let at = 0; at < text.length; ) {
      const token = findLongest(text, at)
      if (token === undefined) {
        at++
        continue
      }
      const match = { start: at, end: at + token.text.length }
      at = match.end
      if (!counts(token.token, match, text, rule)) continue
      const start = token.token.lstrip
        ? whiteSpaceBefore(text, match.start, done)
        : Math.max(match.start, done)
      const end = token.token.rstrip ? whiteSpaceAfter(text, match.end) : match.end
      if (start > done) spans.push({ start: done, end: start, id: undefined })
      spans.push({ start, end, id: token.token.id })
      done = Math.max(end, done)
    }
    if (done < text.length) spans.push({ start: done, end: text.length, id: undefined })
    return spans
  }
}

interface Entry {
  readonly token: AddedToken
  readonly text: string
}

/**
 * Looks tokens up by hash: their first two code units give the lengths to try, longest first. A million tokens cost no more
 * than ten at a place where none begins.
 */
function createFinder(
  tokens: readonly Entry[],
  work: Work,
): ((text: string, at: number) => Entry | undefined) | undefined {
  const byText = new Map(tokens.filter((t) => t.text !== '').map((t) => [t.text, t]))
  if (byText.size === 0) return undefined
  const lengthsByStart = new Map<number, number[]>()
  for (const text of byText.keys()) {
    const lengths = lengthsByStart.get(startKey(text, 0)) ?? []
    lengthsByStart.set(startKey(text, 0), lengths)
    if (!lengths.includes(text.length)) lengths.push(text.length)
  }
  for (const lengths of lengthsByStart.values()) lengths.sort((a, b) => b - a)
  const opens = new Uint8Array(0x10000)
  for (const text of byText.keys()) opens[text.charCodeAt(0)] = 1
  const longestOf = (text: string, at: number, lengths: readonly number[] | undefined) => {
    for (const length of lengths ?? []) {
      if (at + length > text.length) continue
      work.spend(length)
      const entry = byText.get(text.slice(at, at + length))
      if (entry !== undefined) return entry
    }
    return undefined
  }
  return (text, at) => {
    if (opens[text.charCodeAt(at)] === 0) return undefined
    return longestOf(text, at, lengthsByStart.get(startKey(text, at))) ?? byText.get(text[at]!)
  }
}

/** The first two code units as one number. */
function startKey(text: string, at: number): number {
  return text.charCodeAt(at) * 0x10000 + (at + 1 < text.length ? text.charCodeAt(at + 1) : 0)
}

interface Range {
  readonly start: number
  readonly end: number
}

function counts(token: AddedToken, match: Range, text: string, rule: SplitRule): boolean {
  if (token.special && !rule.allowSpecial) return false
  if (token.special && spansCut(match, rule.cuts)) return false
  return !token.singleWord || standsAlone(text, match)
}

/** Whether the first cut after the start of the match lies in it. */
function spansCut({ start, end }: Range, cuts: readonly number[]): boolean {
  let low = 0
  let high = cuts.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (cuts[middle]! > start) high = middle
    else low = middle + 1
  }
  return low < cuts.length && cuts[low]! < end
}

function standsAlone(text: string, { start, end }: Range): boolean {
  const before =
    start === 0
      ? ''
      : String.fromCodePoint(text.codePointAt(start - (isLowSurrogate(text, start - 1) ? 2 : 1))!)
  const after = end === text.length ? '' : String.fromCodePoint(text.codePointAt(end)!)
  return !isWord(before) && !isWord(after)
}

function isWord(char: string): boolean {
  return /[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]/u.test(char)
}

function isWhiteSpace(char: string): boolean {
  return /\p{White_Space}/u.test(char)
}

function isLowSurrogate(text: string, at: number): boolean {
  const code = text.charCodeAt(at)
  return code >= 0xdc00 && code < 0xe000
}

function whiteSpaceBefore(text: string, end: number, floor: number): number {
  let start = end
  while (start > floor && isWhiteSpace(text[start - 1]!)) start--
  return Math.max(start, floor)
}

function whiteSpaceAfter(text: string, start: number): number {
  let end = start
  while (end < text.length && isWhiteSpace(text[end]!)) end++
  return end
}
