/**
 * Scores into an answer. A score is ln P(choice | question), less ln P(choice | the same question with an empty input): what is
 * likely whatever is asked is no answer. Their softmax are the probabilities; a temperature that was fitted to labelled
 * examples makes them right on average, without one they only tell the order.
 */
import { SpoutError } from '../errors.ts'

/** What a model says of one choice. */
export interface ScoredChoice {
  readonly choice: string
  /** ln of its probability after the question, the end token with it. */
  readonly logprob: number
  /** The same after the question with an empty input, where that is taken off. */
  readonly prior: number | undefined
}

export interface RatedChoice extends ScoredChoice {
  /** Of all choices together 1. */
  readonly probability: number
}

export interface Decision {
  /** The likeliest; of equally likely ones the first in the order of the alphabet. */
  readonly best: RatedChoice
  /** As they were asked for. */
  readonly choices: readonly RatedChoice[]
  /** How far the likeliest is before the next. */
  readonly margin: number
}

/** @throws SpoutError `failed` when no choice is possible at all */
export function decide(choices: readonly ScoredChoice[], temperature = 1): Decision {
  const scores = choices.map(({ logprob, prior = 0 }) => logprob - prior)
  const probabilities = softmax(scores, temperature)
  const rated = choices.map((each, i) => ({ ...each, probability: probabilities[i]! }))
  const [best, next] = [...rated].sort(byProbability)
  return { best: best!, choices: rated, margin: best!.probability - (next?.probability ?? 0) }
}

/** @throws SpoutError `failed` when all scores are -Infinity, or one is no number */
export function softmax(scores: readonly number[], temperature = 1): number[] {
  const best = Math.max(...scores)
  if (!Number.isFinite(best)) throw new SpoutError('failed', 'choices: the model holds none to be possible')
  const weights = scores.map((score) => Math.exp((score - best) / temperature))
  const total = weights.reduce((sum, weight) => sum + weight, 0)
  return weights.map((weight) => weight / total)
}

function byProbability(a: RatedChoice, b: RatedChoice): number {
  return b.probability - a.probability || (a.choice < b.choice ? -1 : 1)
}
