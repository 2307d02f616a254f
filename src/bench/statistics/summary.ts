/** Figures of a list of numbers. Every one is `undefined` of an empty list, never NaN. */

export function mean(values: readonly number[]): number | undefined {
  return values.length === 0 ? undefined : values.reduce((a, b) => a + b, 0) / values.length
}

export function median(values: ArrayLike<number>): number | undefined {
  return quantile(values, 0.5)
}

/** Between the two nearest values, linearly, as numpy does. */
export function quantile(values: ArrayLike<number>, share: number): number | undefined {
  if (values.length === 0) return undefined
  const sorted = Float64Array.from(values).sort()
  const place = share * (sorted.length - 1)
  const below = sorted[Math.floor(place)]!
  return below + (sorted[Math.ceil(place)]! - below) * (place % 1)
}

/** With n - 1 below the line; `undefined` of fewer than two. */
export function deviation(values: readonly number[]): number | undefined {
  if (values.length < 2) return undefined
  const middle = mean(values)!
  const squares = values.reduce((sum, value) => sum + (value - middle) ** 2, 0)
  return Math.sqrt(squares / (values.length - 1))
}
