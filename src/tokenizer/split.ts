/** Splitting a text by a pattern, with the five things that may become of what the pattern matches. */
import type { Pattern } from './pattern.ts'
import { invalid } from './tokenizer-json.ts'

const BEHAVIORS = ['Removed', 'Isolated', 'MergedWithPrevious', 'MergedWithNext', 'Contiguous'] as const
export type Behavior = (typeof BEHAVIORS)[number]

interface SplitRuleOf {
  readonly pattern: Pattern
  readonly behavior: Behavior
  /** Takes what is between the matches for the matches. */
  readonly invert: boolean
}

export function parseBehavior(value: unknown, field: string): Behavior {
  const found = BEHAVIORS.find((behavior) => behavior === value)
  if (found === undefined) throw invalid(field, `is not one of ${BEHAVIORS.join(', ')}`)
  return found
}

export function splitBy(text: string, rule: SplitRuleOf): string[] {
  return coveringMatches(text, rule) ?? cut(text, merge(ranges(text, rule), rule.behavior))
}

/** The usual case, and the fast one: matches that are to be kept, and between which nothing is left. */
function coveringMatches(text: string, { pattern, behavior, invert }: SplitRuleOf): string[] | undefined {
  const kept = invert ? behavior === 'Removed' : behavior === 'Isolated'
  if (!kept || typeof pattern === 'string') return undefined
  const matches = text.match(pattern) ?? []
  let length = 0
  for (const match of matches) length += match.length
  return length === text.length || invert ? matches.filter((match) => match !== '') : undefined
}

interface Range {
  start: number
  end: number
  readonly matched: boolean
}

function ranges(text: string, { pattern, invert }: SplitRuleOf): Range[] {
  const found: Range[] = []
  let done = 0
  const add = (end: number, matched: boolean) => {
    if (end > done) found.push({ start: done, end, matched: matched !== invert })
    done = end
  }
  for (const [start, end] of matchOffsets(text, pattern)) {
    add(start, false)
    add(end, true)
  }
  add(text.length, false)
  return found
}

function* matchOffsets(text: string, pattern: Pattern): Generator<[number, number]> {
  if (typeof pattern !== 'string') {
    for (const match of text.matchAll(pattern)) yield [match.index, match.index + match[0].length]
    return
  }
  if (pattern === '') return
  for (let at = text.indexOf(pattern); at !== -1; at = text.indexOf(pattern, at + pattern.length)) {
    yield [at, at + pattern.length]
  }
}

/** Joins or drops neighbours. A run of matches is joined only by `Contiguous`. */
function merge(all: Range[], behavior: Behavior): Range[] {
  switch (behavior) {
    case 'Isolated':
      return all
    case 'Removed':
      return all.filter((range) => !range.matched)
    case 'Contiguous':
      return join(all, (range, previous) => range.matched === previous)
    case 'MergedWithPrevious':
      return join(all, (range, previous) => range.matched && !previous)
    case 'MergedWithNext':
      return joinBackwards(all)
  }
}

function join(all: readonly Range[], belongs: (range: Range, previousMatched: boolean) => boolean): Range[] {
  const joined: Range[] = []
  let previous = false
  for (const range of all) {
    const last = joined.at(-1)
    if (last !== undefined && belongs(range, previous)) last.end = range.end
    else joined.push({ ...range })
    previous = range.matched
  }
  return joined
}

function joinBackwards(all: readonly Range[]): Range[] {
  const joined: Range[] = []
  let previous = false
  for (const range of all.toReversed()) {
    const last = joined.at(-1)
    if (last !== undefined && range.matched && !previous) last.start = range.start
    else joined.push({ ...range })
    previous = range.matched
  }
  return joined.reverse()
}

function cut(text: string, kept: readonly Range[]): string[] {
  return kept.map(({ start, end }) => text.slice(start, end))
}
