/**
 * Filters remove candidates. Each works on the probabilities that the one before it has left, keeps at least one
 * candidate and keeps the order of ids. What they keep is what the logits warpers of Python's transformers keep.
 */
import type { Candidates } from './candidates.ts'
import { expMinus } from './exponential.ts'
import { MassCut } from './selection.ts'

export type Filter = (candidates: Candidates) => void

/**
 * Keeps the most likely candidates until `topP` of the mass is reached, the one that reaches it included; of equally
 * likely ones at the cut, those with lower ids.
 */
export function makeTopPFilter(topP: number, vocabSize: number): Filter {
  const cut = new MassCut(vocabSize)
  return (candidates) => {
    const { depths, weights, count } = candidates
    cut.target = topP * candidates.total
    cut.find(depths, weights, count)
    let mass = cut.below
    for (let i = 0; i < count; i++) {
      const depth = depths[i]!
      if (depth < cut.key) continue
      if (depth > cut.key || (mass >= cut.target && mass > cut.below)) candidates.drop(i)
      else mass += weights[i]!
    }
    candidates.close()
  }
}

/** Keeps candidates of at least `minP` times the probability of the most likely one. */
export function makeMinPFilter(minP: number): Filter {
  return (candidates) => {
    const { weights, count, heaviest } = candidates
    const least = minP * heaviest
    for (let i = 0; i < count; i++) if (weights[i]! < least) candidates.drop(i)
    candidates.close()
  }
}

/**
 * Locally typical sampling: keeps the candidates whose surprise is nearest to the entropy until `typicalP` of the
 * mass is reached, with all ties of the last one. The most likely candidate may go.
 */
export function makeTypicalFilter(typicalP: number, vocabSize: number): Filter {
  const cut = new MassCut(vocabSize)
  const distances = new Float64Array(vocabSize)
  return (candidates) => {
    candidates.averageDepth()
    const { depths, weights, count, meanDepth } = candidates
    for (let i = 0; i < count; i++) distances[i] = Math.abs(depths[i]! - meanDepth)
    cut.target = typicalP * candidates.total
    cut.find(distances, weights, count)
    for (let i = 0; i < count; i++) if (distances[i]! > cut.key) candidates.drop(i)
    candidates.close()
  }
}

/** Keeps candidates of at least probability `epsilon`, and the most likely ones in any case. */
export function makeEpsilonFilter(epsilon: number): Filter {
  return (candidates) => {
    const { weights, count, heaviest, total } = candidates
    const least = Math.min(epsilon * total, heaviest)
    for (let i = 0; i < count; i++) if (weights[i]! < least) candidates.drop(i)
    candidates.close()
  }
}

/** Epsilon that shrinks with the entropy H: the lesser of `eta` and sqrt(eta) exp(-H). */
export function makeEtaFilter(eta: number): Filter {
  return (candidates) => {
    candidates.averageDepth()
    const { weights, count, heaviest, total, meanDepth } = candidates
    // A candidate's surprise is its depth + ln(total), so exp(-H) is exp(-mean depth) / total.
    const scaled = Math.sqrt(eta) * expMinus(meanDepth)
    const least = Math.min(eta * total, scaled, heaviest)
    for (let i = 0; i < count; i++) if (weights[i]! < least) candidates.drop(i)
    candidates.close()
  }
}
