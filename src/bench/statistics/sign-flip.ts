/**
 * The sign-flip test. If two arms are alike, a pair's difference is as likely to have the other sign: p is the share of all
 * 2^n choices of signs whose sum lies at least as far from zero as the one that was seen. It assumes no shape of the noise.
 */
import { Generator } from '../../sampling/rng.ts'

/** Pairs up to which every choice of signs is counted. */
export const EXACT_PAIRS = 30
/** Choices drawn beyond. */
export const DRAWS = 20_000

interface SignFlip {
  /** Two-sided. */
  readonly p: number
  /** Every choice was counted; else p is an estimate from `DRAWS` choices and the one that was seen. */
  readonly exact: boolean
}

/** @param seed of the draws beyond `EXACT_PAIRS`: the same differences then give the same p. */
export function signFlip(differences: readonly number[], seed = 1n): SignFlip {
  const exact = differences.length <= EXACT_PAIRS
  return { p: exact ? exactP(differences) : drawnP(differences, seed), exact }
}

/** Sums that differ by rounding alone are equal. */
function reachOf(differences: readonly number[]): number {
  const sum = differences.reduce((a, b) => a + b, 0)
  const size = differences.reduce((a, b) => a + Math.abs(b), 0)
  return Math.abs(sum) - 1e-12 * size
}

/**
 * Each sum is one of the first half and one of the second. For the sums of the first in ascending order, the place in those
 * of the second from which on both together reach far enough only moves down.
 */
function exactP(differences: readonly number[]): number {
  const reach = reachOf(differences)
  if (reach <= 0) return 1
  const half = differences.length >> 1
  const first = allSums(differences.slice(0, half))
  const second = allSums(differences.slice(half))
  let count = 0
  let from = second.length
  for (const sum of first) {
    while (from > 0 && sum + second[from - 1]! >= reach) from--
    count += second.length - from
  }
  // Turning every sign turns the sum: as many lie as far on the other side.
  return (2 * count) / 2 ** differences.length
}

/** Every sum of the differences with either sign, ascending. */
function allSums(differences: readonly number[]): Float64Array {
  const sums = new Float64Array(2 ** differences.length)
  let size = 1
  for (const difference of differences) {
    for (let i = 0; i < size; i++) sums[size + i] = sums[i]! + difference
    for (let i = 0; i < size; i++) sums[i]! -= difference
    size *= 2
  }
  return sums.sort()
}

function drawnP(differences: readonly number[], seed: bigint): number {
  const reach = reachOf(differences)
  const generator = new Generator(seed)
  let count = 1
  for (let draw = 0; draw < DRAWS; draw++) {
    if (Math.abs(drawSum(differences, generator)) >= reach) count++
  }
  return count / (DRAWS + 1)
}

function drawSum(differences: readonly number[], generator: Generator): number {
  let sum = 0
  let bits = 0
  for (let i = 0; i < differences.length; i++) {
    bits = i % 32 === 0 ? generator.next() : bits >>> 1
    sum += bits & 1 ? differences[i]! : -differences[i]!
  }
  return sum
}
