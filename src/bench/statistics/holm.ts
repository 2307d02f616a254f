/**
 * Holm's step-down correction: p values of several comparisons, raised so that the chance of even one false call among all
 * stays what it is for one.
 */
export function holm(values: readonly number[]): number[] {
  const order = values.map((_, i) => i).sort((a, b) => values[a]! - values[b]!)
  const adjusted = new Array<number>(values.length)
  let highest = 0
  for (const [rank, index] of order.entries()) {
    highest = Math.max(highest, Math.min(1, values[index]! * (values.length - rank)))
    adjusted[index] = highest
  }
  return adjusted
}
