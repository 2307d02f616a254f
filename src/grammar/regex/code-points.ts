/** Sets of code points, and their UTF-8 as expressions over bytes. */
import { addRange, emptySet } from './byte-sets.ts'
import { NOTHING, type Regex, type Regexes } from './regexes.ts'

/** Ranges in ascending order that do not touch: [from, to, from, to …]. Surrogates are not among them. */
export type CodePoints = readonly number[]

const LAST_CODE_POINT = 0x10ffff
/** All that text can hold. */
export const ANY_CODE_POINT: CodePoints = [0, 0xd7ff, 0xe000, LAST_CODE_POINT]

/** Sorted, joined, without surrogates. */
export function normalize(ranges: readonly (readonly [number, number])[]): CodePoints {
  const sorted = [...ranges].sort((a, b) => a[0] - b[0])
  const joined: [number, number][] = []
  for (const [from, to] of sorted) {
    const last = joined.at(-1)
    if (last !== undefined && from <= last[1] + 1) last[1] = Math.max(last[1], to)
    else joined.push([from, to])
  }
  return joined.flatMap(([from, to]) => {
    if (to < 0xd800 || from > 0xdfff) return [from, to]
    return [...(from < 0xd800 ? [from, 0xd7ff] : []), ...(to > 0xdfff ? [0xe000, to] : [])]
  })
}

export function pairs(set: CodePoints): [number, number][] {
  return Array.from({ length: set.length / 2 }, (_, i) => [set[2 * i]!, set[2 * i + 1]!])
}

export function union(...sets: readonly CodePoints[]): CodePoints {
  return normalize(sets.flatMap(pairs))
}

export function complement(set: CodePoints): CodePoints {
  const gaps: [number, number][] = []
  let from = 0
  for (const [start, end] of pairs(set)) {
    if (start > from) gaps.push([from, start - 1])
    from = end + 1
  }
  if (from <= LAST_CODE_POINT) gaps.push([from, LAST_CODE_POINT])
  return normalize(gaps)
}

export function intersect(a: CodePoints, b: CodePoints): CodePoints {
  return complement(union(complement(a), complement(b)))
}

const ENDS = [0x7f, 0x7ff, 0xffff, LAST_CODE_POINT]

/** The UTF-8 of one code point of the set. */
export function utf8Of(regexes: Regexes, set: CodePoints): Regex {
  const ascii = emptySet()
  const parts: Regex[] = []
  for (const [start, end] of pairs(set)) {
    if (start <= 0x7f) addRange(ascii, start, Math.min(end, 0x7f))
    let from = Math.max(start, 0x80)
    for (const limit of ENDS) {
      if (from > end) break
      const to = Math.min(end, limit)
      if (from > to) continue
      parts.push(sequence(regexes, bytesOf(from), bytesOf(to)))
      from = to + 1
    }
  }
  return regexes.or([regexes.bytes(ascii), ...parts])
}

function bytesOf(point: number): number[] {
  return [...Buffer.from(String.fromCodePoint(point))]
}

/** The words of equal length between two words, of which all bytes but the first are continuations. */
function sequence(regexes: Regexes, from: readonly number[], to: readonly number[]): Regex {
  const [a, b] = [from[0], to[0]]
  if (a === undefined || b === undefined) return regexes.concat()
  const [restA, restB] = [from.slice(1), to.slice(1)]
  if (a === b) return regexes.concat(regexes.byte(a), sequence(regexes, restA, restB))
  const lowest = restA.map(() => 0x80)
  const highest = restA.map(() => 0xbf)
  const opens = restA.every((byte) => byte === 0x80)
  const closes = restB.every((byte) => byte === 0xbf)
  const first = opens ? a : a + 1
  const last = closes ? b : b - 1
  const middle =
    first > last ? NOTHING : regexes.concat(regexes.range(first, last), sequence(regexes, lowest, highest))
  return regexes.or([
    opens ? NOTHING : regexes.concat(regexes.byte(a), sequence(regexes, restA, highest)),
    middle,
    closes ? NOTHING : regexes.concat(regexes.byte(b), sequence(regexes, lowest, restB)),
  ])
}
