/**
 * What a comparison says, in words. A difference is called one when three things agree: p is below 5 % after Holm's
 * correction, the 95 % interval leaves "none" out, and it is larger than what the baseline showed beside itself in the same
 * blocks (the noise floor). The last makes it rarer than 5 % that nothing is called a difference.
 */
import type { Comparison } from './comparison.ts'

type VerdictWord = 'faster' | 'slower' | 'alike' | 'inconclusive'

export interface Verdict {
  readonly word: VerdictWord
  /** `faster`, `slower`: by how much, as a share. `alike`: the largest difference the interval allows. */
  readonly share: number
  /** `inconclusive`: about this many more pairs would tell. */
  readonly morePairs: number
}

interface VerdictInput {
  readonly comparison: Comparison
  /** Corrected for the number of comparisons. */
  readonly p: number
  /** The noise floor, as a log ratio; 0 where there is none. */
  readonly floor: number
  /** Standard deviation of a pair of the baseline beside itself; 0 where there is none. */
  readonly floorSpread: number
  /** A difference below this share need not be told from none. */
  readonly resolution: number
}

const LEVEL = 0.05
/** Standard errors that an interval reaches, about. */
const REACH = 2
/** Half an interval, as a part of what matters: the other part is room for its middle. */
const ROOM = 0.6

export function judge(input: VerdictInput): Verdict {
  const { comparison, p, floor, resolution } = input
  const { difference, interval } = comparison
  const [low, high] = interval
  const isClear = p < LEVEL && (low > 0 || high < 0)
  if (isClear && Math.abs(difference) > floor) {
    const word = difference > 0 ? 'slower' : 'faster'
    return { word, share: Math.abs(Math.expm1(difference)), morePairs: 0 }
  }
  const largest = Math.expm1(Math.max(Math.abs(low), Math.abs(high)))
  if (largest <= resolution) return { word: 'alike', share: largest, morePairs: 0 }
  const needed = isClear ? pairsUnderFloor(input) : pairsToTell(input)
  return { word: 'inconclusive', share: largest, morePairs: evenUp(Math.max(2, needed - comparison.count)) }
}

/**
 * Until the interval leaves out "none", if the difference is what it looks like less one standard error; or until it leaves
 * out all that matters, if there is none.
 */
function pairsToTell({ comparison, floorSpread, resolution }: VerdictInput): number {
  const { difference, count } = comparison
  const spread = Math.max(comparison.spread, floorSpread)
  const sure = Math.abs(difference) - spread / Math.sqrt(count)
  const goal = Math.max(sure, ROOM * Math.log1p(resolution))
  return Math.ceil((REACH * spread) ** 2 / goal ** 2)
}

/** The noise floor sinks with the root of the number of pairs. */
function pairsUnderFloor({ comparison, floor }: VerdictInput): number {
  return Math.ceil(comparison.count * (floor / comparison.difference) ** 2)
}

/** The largest difference that the interval of the baseline beside itself allows. */
export function noiseFloor({ interval }: Comparison): number {
  return Math.max(Math.abs(interval[0]), Math.abs(interval[1]))
}

export function verdictText({ word, share, morePairs }: Verdict): string {
  const percent = `${(100 * share).toFixed(1)} %`
  if (word === 'alike') return `no difference larger than ${percent}`
  if (word === 'inconclusive') return `inconclusive: about ${morePairs} more pairs`
  return `${word} by ${percent}`
}

function evenUp(count: number): number {
  return count + (count % 2)
}
