/**
 * What labelled examples say of scores. A temperature makes probabilities of them that are right on average: the one under
 * which the labels are likeliest (Guo et al. 2017, "On Calibration of Modern Neural Networks"). A threshold tells from where on
 * an answer is to be trusted: by isotonic regression, which assumes only that a greater confidence is not right less often.
 */
import { softmax } from './decide.ts'

export interface LabelledScores {
  /** One for each choice. */
  readonly scores: readonly number[]
  /** The right one, by its place. */
  readonly label: number
}

/** Of a confidence, and whether the answer was right. */
export interface Judged {
  readonly confidence: number
  readonly isRight: boolean
}

export interface Calibration {
  readonly temperature: number
  /** The least confidence that is trusted. */
  readonly threshold: number
  readonly examples: number
}

const [COLDEST, HOTTEST] = [1 / 20, 20] as const

/** Between 1/20 and 20. The loss has one minimum in 1/T: golden section over ln T. */
export function fitTemperature(examples: readonly LabelledScores[]): number {
  let [low, high] = [Math.log(COLDEST), Math.log(HOTTEST)]
  for (let i = 0; i < ROUNDS; i++) {
    const [a, b] = [high - GOLDEN * (high - low), low + GOLDEN * (high - low)]
    if (lossAt(examples, Math.exp(a)) <= lossAt(examples, Math.exp(b))) high = b
    else low = a
  }
  return Math.exp((low + high) / 2)
}

const GOLDEN = (Math.sqrt(5) - 1) / 2
const ROUNDS = 60

/** Mean of -ln P(label). */
function lossAt(examples: readonly LabelledScores[], temperature: number): number {
  let loss = 0
  for (const { scores, label } of examples) loss -= Math.log(softmax(scores, temperature)[label]! + TINY)
  return loss / examples.length
}

/** A label that is held to be impossible counts as much, not infinitely. */
const TINY = 1e-30

/**
 * The least confidence from which on the share of right answers is `wanted`, half way to the greatest one below: 0 where it is
 * so from the least on, Infinity where it never is.
 */
export function fitThreshold(judged: readonly Judged[], wanted: number): number {
  const sorted = [...judged].sort((a, b) => a.confidence - b.confidence)
  const shares = isotonic(sorted)
  const at = shares.findIndex((share) => share >= wanted)
  if (at < 0) return Number.POSITIVE_INFINITY
  return at === 0 ? 0 : (sorted[at - 1]!.confidence + sorted[at]!.confidence) / 2
}

interface Block {
  right: number
  count: number
}

/** The share of right answers at each place, by pool adjacent violators: the nearest to the answers that never falls. */
function isotonic(sorted: readonly Judged[]): number[] {
  const blocks: Block[] = []
  for (const [i, { confidence, isRight }] of sorted.entries()) {
    const isTie = i > 0 && sorted[i - 1]!.confidence === confidence
    blocks.push({ right: Number(isRight), count: 1 })
    if (isTie) pool(blocks)
    while (blocks.length > 1 && shareOf(blocks.at(-2)!) >= shareOf(blocks.at(-1)!)) pool(blocks)
  }
  return blocks.flatMap((block) => Array<number>(block.count).fill(shareOf(block)))
}

function pool(blocks: Block[]): void {
  const last = blocks.pop()!
  const before = blocks.at(-1)!
  before.right += last.right
  before.count += last.count
}

function shareOf({ right, count }: Block): number {
  return right / count
}
