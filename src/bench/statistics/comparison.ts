/** Two arms, compared. All differences are logarithms of ratios: +0.05 is 5.1 % longer, and faster and slower weigh alike. */
import { signFlip } from './sign-flip.ts'
import { centralProbability, studentQuantile } from './student.ts'
import { deviation, mean } from './summary.ts'

export interface Comparison {
  /** Pairs, or samples of the smaller side where there are no pairs. */
  readonly count: number
  /** Mean of the log ratios, above 0 where the arm takes longer. */
  readonly difference: number
  /** 95 % interval of `difference`, by Student's t. */
  readonly interval: readonly [number, number]
  /** Standard deviation of one pair's log ratio. */
  readonly spread: number
  /** Two-sided. */
  readonly p: number
  /** False: p is an estimate, from seeded draws. */
  readonly exact: boolean
}

const CONFIDENCE = 0.95

/**
 * `undefined` with fewer than two pairs: nothing can be said.
 * @param ratios the logarithm of each pair's ratio
 */
export function compareRatios(ratios: readonly number[]): Comparison | undefined {
  const summary = summarize(ratios)
  if (summary === undefined) return undefined
  const { p, exact } = signFlip(ratios)
  const { mean: difference, interval, spread } = summary
  return { count: ratios.length, difference, interval, spread, p, exact }
}

export interface Summary {
  readonly mean: number
  /** 95 % interval of the mean, by Student's t. */
  readonly interval: readonly [number, number]
  /** Standard deviation of one value. */
  readonly spread: number
}

/** `undefined` of fewer than two values. */
export function summarize(values: readonly number[]): Summary | undefined {
  if (values.length < 2) return undefined
  const middle = mean(values)!
  const spread = deviation(values)!
  const reach = (studentQuantile(CONFIDENCE, values.length - 1) * spread) / Math.sqrt(values.length)
  return { mean: middle, interval: [middle - reach, middle + reach], spread }
}

/**
 * Samples that were not taken side by side: means of logarithms, Welch's interval, its degrees of freedom rounded down.
 * `undefined` with fewer than two on a side.
 */
export function compareApart(now: readonly number[], then: readonly number[]): Comparison | undefined {
  if (now.length < 2 || then.length < 2) return undefined
  const [a, b] = [now, then].map((values) => logSummary(values)) as [LogSummary, LogSummary]
  const error2 = a.error2 + b.error2
  const degrees = error2 ** 2 / (a.error2 ** 2 / (now.length - 1) + b.error2 ** 2 / (then.length - 1))
  const whole = Math.max(1, Math.floor(Number.isFinite(degrees) ? degrees : now.length + then.length - 2))
  const error = Math.sqrt(error2)
  const reach = studentQuantile(CONFIDENCE, whole) * error
  const difference = a.mean - b.mean
  return {
    count: Math.min(now.length, then.length),
    difference,
    interval: [difference - reach, difference + reach],
    spread: error * Math.sqrt(Math.min(now.length, then.length)),
    p: difference === 0 ? 1 : 1 - centralProbability(Math.abs(difference) / error, whole),
    exact: true,
  }
}

interface LogSummary {
  readonly mean: number
  /** Square of the mean's standard error. */
  readonly error2: number
}

function logSummary(values: readonly number[]): LogSummary {
  const logs = values.map((value) => Math.log(value))
  return { mean: mean(logs)!, error2: deviation(logs)! ** 2 / logs.length }
}
