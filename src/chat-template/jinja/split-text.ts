/** Taking texts apart: `split`, `rsplit`, `splitlines`, `strip`. */
import type { Budget } from './budget.ts'
import { TemplateError } from './template-error.ts'
import { isSpace, trimEnd, trimStart } from './white-space.ts'

/** @param most how often it is cut; negative for as often as it can be. */
export function split(text: string, separator: string | undefined, most: number, budget: Budget): string[] {
  budget.text(text.length)
  const parts = separator === undefined ? splitAtSpace(text, most) : splitAt(text, separator, most)
  budget.spend(parts.length)
  return parts
}

function splitAt(text: string, separator: string, most: number): string[] {
  if (separator === '') throw new TemplateError('empty separator')
  const parts = text.split(separator)
  if (most < 0 || parts.length <= most) return parts
  return [...parts.slice(0, most), parts.slice(most).join(separator)]
}

function splitAtSpace(text: string, most: number): string[] {
  const parts: string[] = []
  for (let rest = trimStart(text); rest !== ''; ) {
    let end = 0
    while (end < rest.length && !isSpace(rest[end]!)) end++
    if (most >= 0 && parts.length >= most) end = rest.length
    parts.push(rest.slice(0, end))
    rest = trimStart(rest.slice(end))
  }
  return parts
}

/** The same from the end. */
export function rsplit(text: string, separator: string | undefined, most: number, budget: Budget): string[] {
  const all = split(text, separator, -1, budget)
  if (most < 0 || all.length <= most + 1) return all
  if (separator !== undefined) {
    const cut = all.length - most
    return [all.slice(0, cut).join(separator), ...all.slice(cut)]
  }
  const last = most === 0 ? [] : all.slice(-most)
  let head = trimEnd(text)
  for (const part of last.toReversed()) head = trimEnd(head.slice(0, head.length - part.length))
  return [head, ...last]
}

const LINE_END = /\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]/g

/** @param keep the line ends stay. */
export function splitLines(text: string, keep: boolean, budget: Budget): string[] {
  budget.text(text.length)
  const lines: string[] = []
  let start = 0
  for (const match of text.matchAll(LINE_END)) {
    const end = match.index + match[0].length
    lines.push(text.slice(start, keep ? end : match.index))
    start = end
  }
  if (start < text.length) lines.push(text.slice(start))
  budget.spend(2 * lines.length)
  return lines
}

/** `text.strip(chars)` and its sides. */
export function strip(
  text: string,
  chars: string | undefined,
  { side, budget }: { readonly side: 'both' | 'left' | 'right'; readonly budget: Budget },
): string {
  budget.text(text.length)
  const strips = chars === undefined ? undefined : new Set(chars)
  const gone = (char: string) => (strips === undefined ? isSpace(char) : strips.has(char))
  let start = 0
  let end = text.length
  while (side !== 'right' && start < end && gone(characterAt(text, start)))
    start += characterAt(text, start).length
  while (side !== 'left' && end > start && gone(characterBefore(text, end)))
    end -= characterBefore(text, end).length
  budget.spend((text.length - (end - start)) >> 2)
  return text.slice(start, end)
}

function characterAt(text: string, at: number): string {
  return String.fromCodePoint(text.codePointAt(at)!)
}

function characterBefore(text: string, end: number): string {
  const isPair = /^[\ud800-\udbff][\udc00-\udfff]$/.test(text.slice(end - 2, end))
  return text.slice(end - (isPair ? 2 : 1), end)
}

/** With as many replaced as `most` says, or all where it is negative. */
export function replace(
  text: string,
  [old, fresh]: readonly [string, string],
  most: number,
  budget: Budget,
): string {
  budget.text(text.length)
  const places = old === '' ? Array.from(text).length + 1 : countOf(text, old)
  const count = most < 0 ? places : Math.min(most, places)
  budget.spend(count)
  budget.text(text.length + count * Math.max(0, fresh.length - old.length))
  if (count === 0) return text
  if (count === places)
    return old === ''
      ? fresh + Array.from(text, (char) => char + fresh).join('')
      : text.split(old).join(fresh)
  if (old !== '') {
    const parts = text.split(old)
    return [...parts.slice(0, count), parts.slice(count).join(old)].join(fresh)
  }
  const chars = Array.from(text)
  return (
    chars
      .slice(0, count)
      .map((char) => fresh + char)
      .join('') + chars.slice(count).join('')
  )
}

/** How often a text occurs, without overlaps. */
export function countOf(text: string, part: string): number {
  let count = 0
  for (let at = text.indexOf(part); at !== -1; at = text.indexOf(part, at + part.length)) count++
  return count
}
