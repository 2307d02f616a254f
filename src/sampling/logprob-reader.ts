import { Candidates } from './candidates.ts'
import { logTotal } from './log-total.ts'
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
    const offset = logTotal(this.#row, this.#likely.best)
    return { logprob: this.#row[id]! - offset, top: this.#count > 0 ? this.#top(offset) : [] }
  }

  #top(offset: number): TokenLogprobs['top'] {
    this.#likely.gather(this.#row)
    const ids = [...this.#likely.ids.subarray(0, this.#likely.count)]
    ids.sort((a, b) => this.#row[b]! - this.#row[a]! || a - b)
    return ids.slice(0, this.#count).map((id) => ({ id, logprob: this.#row[id]! - offset }))
  }
}
