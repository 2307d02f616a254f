import { Candidates } from './candidates.ts'
import { expMinus } from './exponential.ts'
import { makeTopKScan, refuseRow, type Scan, scanAll } from './scan.ts'
import type { TokenLogprobs } from './token-logprobs.ts'

/**
 * Log-probabilities as the model gave them: of the softmax of the logits before any penalty, bias, temperature or
 * filter. Keeps a copy of the row, since the steps that follow overwrite it. Allocates; made only when asked for.
 */
export class LogprobReader {
  readonly #row: Float32Array
  readonly #count: number
  readonly #likely: Candidates
  readonly #scan: Scan

  /** @param count how many of the most likely ids to name; of equally likely ones the lower id comes first. */
  constructor(vocabSize: number, count: number) {
    this.#row = new Float32Array(vocabSize)
    this.#count = count
    this.#likely = new Candidates(vocabSize, 1)
    this.#scan = count > 0 ? makeTopKScan(count) : scanAll
  }

  keep(logits: Float32Array): void {
    this.#row.set(logits)
  }

  /** Of the row kept last. */
  read(id: number, step: number): TokenLogprobs {
    if (!this.#scan(this.#row, this.#likely)) throw refuseRow(this.#row, step)
    const offset = this.#likely.best + this.#logTotal()
    return { logprob: this.#row[id]! - offset, top: this.#count > 0 ? this.#top(offset) : [] }
  }

  /** ln of the sum of exp(logit - best). */
  #logTotal(): number {
    const row = this.#row
    const { best } = this.#likely
    let total = 0
    for (let id = 0; id < row.length; id++) total += expMinus(best - row[id]!)
    return Math.log(total)
  }

  #top(offset: number): TokenLogprobs['top'] {
    this.#likely.gather(this.#row)
    const ids = [...this.#likely.ids.subarray(0, this.#likely.count)]
    ids.sort((a, b) => this.#row[b]! - this.#row[a]! || a - b)
    return ids.slice(0, this.#count).map((id) => ({ id, logprob: this.#row[id]! - offset }))
  }
}
