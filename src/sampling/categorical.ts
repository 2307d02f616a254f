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

/** Ids per block of a row. */
const BLOCK = 64

/** Draws from a whole row of logits, where nothing is filtered: adds up blocks of ids, then looks into one of them. */
export class RowDraw {
  readonly #blocks: Float64Array

  constructor(vocabSize: number) {
    this.#blocks = new Float64Array(Math.ceil(vocabSize / BLOCK))
  }

  /** @param scale what a scan has found: the best score and the temperature. */
  draw(logits: Float32Array, scale: Candidates, generator: Generator): number {
    const blocks = this.#blocks
    this.#addUp(logits, scale)
    generator.flip()
    const share = generator.coin * scale.total
    let block = 0
    let sum = 0
    while (sum + blocks[block]! <= share) sum += blocks[block++]!
    let chosen = block * BLOCK
    const end = Math.min(chosen + BLOCK, logits.length)
    for (let id = chosen; id < end && sum <= share; id++) {
      const weight = expMinus(scale.best - Math.fround(logits[id]! / scale.temperature))
      // As above.
      if (weight > 0) chosen = id
      sum += weight
    }
    return chosen
  }

  #addUp(logits: Float32Array, scale: Candidates): void {
    const { best, temperature } = scale
    let total = 0
    for (let block = 0, id = 0; block < this.#blocks.length; block++) {
      const end = Math.min(id + BLOCK, logits.length)
      let sum = 0
      for (; id < end; id++) sum += expMinus(best - Math.fround(logits[id]! / temperature))
      this.#blocks[block] = sum
      total += sum
    }
    scale.total = total
  }
}
