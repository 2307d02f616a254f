/** Medians and the ratio of two arms measured in the same blocks. */

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

/**
 * How many times faster `ours` is than `theirs`: median(theirs) / median(ours), both in ms, two samples per block in block
 * order. `low` and `high` are the extremes of the same ratio taken block by block.
 */
export function speedup(ours, theirs) {
  const perBlock = []
  for (let i = 0; i + 1 < Math.min(ours.length, theirs.length); i += 2) {
    perBlock.push((theirs[i] + theirs[i + 1]) / (ours[i] + ours[i + 1]))
  }
  return { ratio: median(theirs) / median(ours), low: Math.min(...perBlock), high: Math.max(...perBlock) }
}

/** Index of the first difference, or −1. */
export function firstDifference(a, b) {
  const length = Math.max(a.length, b.length)
  for (let i = 0; i < length; i++) if (a[i] !== b[i]) return i
  return -1
}
