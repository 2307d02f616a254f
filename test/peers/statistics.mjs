/** Medians, and the ratio of two arms measured side by side in several processes each. */

import { studentQuantile } from '../../dist/bench/statistics/student.js'

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

/** An arm's figure: the median over its processes of each process's median. `processes`: samples of each. */
export const typical = (processes) => median(processes.map(median))

/**
 * How many times faster `ours` is than `theirs`, both ms, one list of samples per process; the i-th processes of both were
 * measured in the same blocks. The ratio is the geometric mean of the pairs' ratios of medians, `low` and `high` its 95 %
 * interval by Student's t: the process is the unit, since its samples share where its memory lies. No interval of one pair.
 */
export function speedup(ours, theirs) {
  const count = Math.min(ours.length, theirs.length)
  const logs = []
  for (let i = 0; i < count; i++) logs.push(Math.log(median(theirs[i]) / median(ours[i])))
  const middle = logs.reduce((sum, log) => sum + log, 0) / count
  if (count < 2) return { ratio: Math.exp(middle) }
  const variance = logs.reduce((sum, log) => sum + (log - middle) ** 2, 0) / (count - 1)
  const reach = studentQuantile(0.95, count - 1) * Math.sqrt(variance / count)
  return { ratio: Math.exp(middle), low: Math.exp(middle - reach), high: Math.exp(middle + reach) }
}

/** Index of the first difference, or −1. */
export function firstDifference(a, b) {
  const length = Math.max(a.length, b.length)
  for (let i = 0; i < length; i++) if (a[i] !== b[i]) return i
  return -1
}
