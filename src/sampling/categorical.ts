import type { Candidates } from './candidates.ts'
import type { Generator } from './rng.ts'

/**
 * Draws one id by its probability: the first, in ascending order of ids, at which the summed weight exceeds
 * the coin's share of the total. One coin per call, even when there is no choice.
 */
export function draw(candidates: Candidates, generator: Generator): number {
  const { ids, weights, count } = candidates
  const share = generator.uniform() * candidates.total
  let sum = 0
  for (let i = 0; i < count - 1; i++) {
    sum += weights[i]!
    if (sum > share) return ids[i]!
  }
  return ids[count - 1]!
}
