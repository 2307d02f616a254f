/** Which lengths tokens have, so that none is looked for in vain. */

/** The lengths of the tokens that begin with the same code unit, ascending. */
export function createLengths(tokens: readonly string[]): (word: string, at: number) => readonly number[] {
  const byStart = new Map<number, Set<number>>()
  for (const token of tokens) {
    const start = token.charCodeAt(0)
    const lengths = byStart.get(start) ?? new Set()
    byStart.set(start, lengths.add(token.length))
  }
  const sorted = new Map([...byStart].map(([start, lengths]) => [start, [...lengths].sort((a, b) => a - b)]))
  return (word, at) => sorted.get(word.charCodeAt(at)) ?? []
}
