/**
 * The draw: the first id, in ascending order, at which the summed weight exceeds the coin's share of the whole.
 * One coin per draw, even where there is no choice.
 */
import type { Candidates } from './candidates.ts'
import { expMinus } from './exponential.ts'
import type { Generator } from './rng.ts'

/** Draws from the candidates. */
export function draw(candidates: Candidates, generator: Generator): number {
  const { ids, weights, count, total } = candidates
  generator.flip()
  const share = generator.coin * total
  let sum = 0
  for (let i = 0; i < count; i++) {
    sum += weights[i]!
    if (sum > share) return ids[i]!
  }
  // Rounding may leave the sum at the share: then it is the last id that can be drawn.
  let last = count - 1
  while (last > 0 && weights[last] === 0) last--
  return ids[last]!
}

const BLOCK_BITS = 6
/** Ids per block of a row. */
const BLOCK = 1 << BLOCK_BITS

/** Draws from a whole row of logits, where nothing is filtered: adds up blocks of ids, then looks into one of them. */
export class RowDraw {
  readonly #blocks: Float64Array
  /** Where in the row the scores of each block end. */
  readonly #ends: Int32Array
  #count = 0
  /** The last block that anything can be drawn from. */
  #last = 0

  constructor(vocabSize: number) {
    this.#blocks = new Float64Array(Math.ceil(vocabSize / BLOCK))
    this.#ends = new Int32Array(this.#blocks.length)
  }

  /**
   * @param scale what a scan has found: the best score and the temperature.
   * @param ids of the scores, where the row holds some ids only: they are added up in the blocks of the whole row.
   * @returns an index into the row.
   */
  draw(logits: Float32Array, scale: Candidates, generator: Generator, ids?: Int32Array): number {
    const blocks = this.#blocks
    if (ids === undefined) this.#divide(logits.length)
    else this.#divideIds(ids, logits.length)
    this.#addUp(logits, scale)
    generator.flip()
    const share = generator.coin * scale.total
    let block = 0
    let sum = 0
    while (block < this.#last && sum + blocks[block]! <= share) sum += blocks[block++]!
    let chosen = block === 0 ? 0 : this.#ends[block - 1]!
    const end = this.#ends[block]!
    for (let at = chosen; at < end && sum <= share; at++) {
      const weight = expMinus(scale.best - Math.fround(logits[at]! / scale.temperature))
      // As above.
      if (weight > 0) chosen = at
      sum += weight
    }
    return chosen
  }

  #divide(length: number): void {
    this.#count = Math.ceil(length / BLOCK)
    for (let block = 0; block < this.#count; block++)
      this.#ends[block] = Math.min((block + 1) * BLOCK, length)
  }

  #divideIds(ids: Int32Array, length: number): void {
    this.#count = 0
    for (let at = 1; at <= length; at++) {
      if (at === length || ids[at]! >> BLOCK_BITS !== ids[at - 1]! >> BLOCK_BITS)
        this.#ends[this.#count++] = at
    }
  }

  #addUp(logits: Float32Array, scale: Candidates): void {
    const { best, temperature } = scale
    let total = 0
    for (let block = 0, at = 0; block < this.#count; block++) {
      const end = this.#ends[block]!
      let sum = 0
      for (; at < end; at++) sum += expMinus(best - Math.fround(logits[at]! / temperature))
      this.#blocks[block] = sum
      if (sum > 0) this.#last = block
      total += sum
    }
    scale.total = total
  }
}
