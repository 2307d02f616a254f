import { expMinus } from './exponential.ts'
import { nextAbove } from './selection.ts'

/** Below every finite float32 and above -Infinity. */
export const LOWEST = -Number.MAX_VALUE

const DROPPED = -1

/**
 * The ids that may still be drawn, in ascending order. A scan of the row says which scores are worth gathering, and
 * filters then work on the few that are left. A score is logit / temperature, rounded to float32 as the reference
 * does. Numbers live in fields: a double passed as an argument or a result would be a heap object per token.
 */
export class Candidates {
  readonly ids: Int32Array
  /** best - score, 0 for the most likely. */
  readonly depths: Float64Array
  /** exp(-depth): probability up to a factor. */
  readonly weights: Float64Array
  count = 0
  /** The greatest of the weights. */
  heaviest = 0.5
  /** The weight that stands for probability 1. */
  total = 0.5
  /** The weight of the whole row where the scan has added it up, else 0. */
  rowTotal = 0.5
  /** After `averageDepth`: the mean of the depths by probability. It is the entropy less ln(total). */
  meanDepth = 0.5
  /** The best score of the row. */
  best = 0.5
  /** The lowest score that `gather` takes. */
  floor = 0.5
  readonly temperature: number
  readonly #bar = new Float32Array(1)

  constructor(vocabSize: number, temperature: number) {
    this.ids = new Int32Array(vocabSize)
    this.depths = new Float64Array(vocabSize)
    this.weights = new Float64Array(vocabSize)
    this.temperature = Math.fround(temperature)
  }

  /** Takes every id of the row whose score is finite and at least `floor`. */
  gather(logits: Float32Array): void {
    const { ids, depths, weights, best, floor, temperature } = this
    let count = 0
    let total = 0
    this.#setBar()
    for (
      let id = nextAbove(logits, 0, this.#bar);
      id < logits.length;
      id = nextAbove(logits, id + 1, this.#bar)
    ) {
      const score = Math.fround(logits[id]! / temperature)
      if (score < floor) continue
      const depth = best - score
      const weight = expMinus(depth)
      ids[count] = id
      depths[count] = depth
      weights[count++] = weight
      total += weight
    }
    this.count = count
    this.heaviest = 1
    this.total = this.rowTotal || total
  }

  /** Takes one id. */
  gatherOne(id: number): void {
    this.ids[0] = id
    this.depths[0] = 0
    this.weights[0] = 1
    this.count = 1
    this.heaviest = 1
    this.total = 1
  }

  /** Sets `meanDepth`: how far a surprise lies, on average, over that of the best score. */
  averageDepth(): void {
    const { depths, weights, count, total } = this
    let sum = 0
    for (let i = 0; i < count; i++) sum += depths[i]! * weights[i]!
    this.meanDepth = sum / total
  }

  /** Marks the candidate at `index` as removed, until `close`. */
  drop(index: number): void {
    this.weights[index] = DROPPED
  }

  /** Closes the gaps that `drop` has left, and counts what remains as all there is. */
  close(): void {
    const { ids, depths, weights, count } = this
    let kept = 0
    let heaviest = 0
    let total = 0
    for (let i = 0; i < count; i++) {
      const weight = weights[i]!
      if (weight === DROPPED) continue
      ids[kept] = ids[i]!
      depths[kept] = depths[i]!
      weights[kept++] = weight
      if (weight > heaviest) heaviest = weight
      total += weight
    }
    this.count = kept
    this.heaviest = heaviest
    this.total = total
  }

  /** A logit that all of a score at `floor` lie above, whatever the rounding: saves nearly all divisions. */
  #setBar(): void {
    const logit = this.floor * this.temperature
    this.#bar[0] = logit - Math.abs(logit) * 1e-6 - 1e-37
  }
}
