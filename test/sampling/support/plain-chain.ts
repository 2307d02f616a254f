/**
 * The filters as their definitions read: everything sorted, nothing reused, `Math.exp`. It also says when a cut lies so
 * near another outcome that the order of additions decides.
 */
import type { SamplingOptions } from '../../../src/sampling/sampling-params.ts'

interface Candidate {
  readonly id: number
  readonly score: number
}

export class PlainChain {
  onEdge = false
  #kept: Candidate[]

  constructor(row: Float32Array, options: SamplingOptions) {
    const { temperature = 1, topK = 0, topP = 1, minP = 0, typicalP = 1, epsilon = 0, eta = 0 } = options
    this.#kept = [...row]
      .map((logit, id) => ({ id, score: Math.fround(logit / Math.fround(temperature)) }))
      .filter(({ score }) => score > -Infinity)
    if (topK > 0) this.#topK(topK)
    if (topP < 1) this.#topP(topP)
    if (minP > 0) this.#atLeast(minP * Math.max(...this.probabilities))
    if (typicalP < 1) this.#typical(typicalP)
    if (epsilon > 0) this.#atLeast(epsilon)
    if (eta > 0) this.#atLeast(Math.min(eta, Math.sqrt(eta) * Math.exp(-this.#entropy())))
  }

  get ids(): number[] {
    return this.#kept.map(({ id }) => id)
  }

  get probabilities(): number[] {
    const best = Math.max(...this.#kept.map(({ score }) => score))
    const weights = this.#kept.map(({ score }) => Math.exp(score - best))
    const total = weights.reduce((sum, weight) => sum + weight, 0)
    return weights.map((weight) => weight / total)
  }

  #topK(k: number): void {
    const scores = this.#kept.map(({ score }) => score).sort((a, b) => b - a)
    const least = scores[Math.min(k, scores.length) - 1]!
    this.#keep(({ score }) => score >= least)
  }

  #topP(p: number): void {
    const sorted = this.#withProbabilities().sort((a, b) => b.score - a.score || a.id - b.id)
    const kept = new Set(this.#prefix(sorted, p).map(({ id }) => id))
    this.#keep(({ id }) => kept.has(id))
  }

  #typical(p: number): void {
    const entropy = this.#entropy()
    const sorted = this.#withProbabilities()
      .map((one) => ({ ...one, distance: Math.abs(-Math.log(one.probability) - entropy) }))
      .sort((a, b) => a.distance - b.distance || a.id - b.id)
    const last = this.#prefix(sorted, p).at(-1)!
    for (const { distance, score } of sorted) {
      if (score !== last.score && Math.abs(distance - last.distance) < 1e-9) this.onEdge = true
    }
    const kept = new Set(
      sorted.filter((one) => one.score === last.score || one.distance < last.distance).map(({ id }) => id),
    )
    this.#keep(({ id }) => kept.has(id))
  }

  /** At least one, and as many as it takes for their probabilities to sum to `p`. */
  #prefix<T extends { probability: number }>(sorted: readonly T[], p: number): T[] {
    let sum = 0
    const count = sorted.findIndex(({ probability }) => {
      sum += probability
      if (Math.abs(sum - p) < 1e-11) this.onEdge = true
      return sum >= p
    })
    return count < 0 ? [...sorted] : sorted.slice(0, count + 1)
  }

  /** Keeps the most likely ones in any case. */
  #atLeast(probability: number): void {
    const all = this.#withProbabilities()
    const most = Math.max(...all.map((one) => one.probability))
    for (const one of all) {
      if (Math.abs(one.probability / probability - 1) < 1e-11) this.onEdge = true
    }
    const kept = new Set(
      all.filter((one) => one.probability >= Math.min(probability, most)).map(({ id }) => id),
    )
    this.#keep(({ id }) => kept.has(id))
  }

  #entropy(): number {
    return this.probabilities.reduce((sum, p) => (p > 0 ? sum - p * Math.log(p) : sum), 0)
  }

  #withProbabilities() {
    const probabilities = this.probabilities
    return this.#kept.map((candidate, i) => ({ ...candidate, probability: probabilities[i]! }))
  }

  #keep(test: (candidate: Candidate) => boolean): void {
    this.#kept = this.#kept.filter(test)
  }
}
