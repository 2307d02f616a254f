/** The known word that a mistyped one probably meant; `undefined` when none is near. */
export function nearest(word: string, known: readonly string[]): string | undefined {
  const most = Math.max(1, Math.floor(word.length / 3))
  const scored = known.map((candidate) => ({ candidate, distance: editDistance(word, candidate) }))
  scored.sort((a, b) => a.distance - b.distance)
  return scored[0] !== undefined && scored[0].distance <= most ? scored[0].candidate : undefined
}

/** Insertions, deletions, replacements and swaps of neighbours (Damerau's distance, restricted form). */
export function editDistance(a: string, b: string): number {
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, j) => j)]
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const change = rows[i - 1]![j - 1]! + Number(a[i - 1] !== b[j - 1])
      row[j] = Math.min(row[j - 1]! + 1, rows[i - 1]![j]! + 1, change)
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      if (swapped) row[j] = Math.min(row[j]!, rows[i - 2]![j - 2]! + 1)
    }
    rows.push(row)
  }
  return rows[a.length]![b.length]!
}
