/** Whether a model that was changed for speed still answers as it did: by the words it would say, not by the last bit. */

interface RowComparison {
  readonly ok: boolean
  /** The share of decided rows in which the likeliest id stayed; 1 when no row was decided. */
  readonly agreement: number
  /** Mean Kullback–Leibler divergence of the distributions of the next id, in nats. */
  readonly divergence: number
}

/** Of the standard deviation of the logits: a lead that is smaller is a tie. */
const DECIDED_LEAD = 0.02
/**
 * Trained models with their head in 8 bits: 1.4e-4 (the embedded one), 3.0e-4 and 3.1e-4 (a llama of 260,000 parameters, fp32 and fp16).
 * Random weights, whose logits nearly tie: 0.8e-3 (a tiny gpt2) and 1.4e-3 (a tiny llama).
 */
const MOST_DIVERGENCE = 1e-3

/** @param before logits of the model as it is, a row after each run; @param after those of the changed one, on the same ids. */
export function compareRows(before: readonly Float32Array[], after: readonly Float32Array[]): RowComparison {
  let decided = 0
  let agreed = 0
  let divergence = 0
  for (const [i, row] of before.entries()) {
    const other = after[i] ?? NOTHING
    const { best, isDecided } = leaderOf(row)
    if (isDecided) decided++
    if (isDecided && leaderOf(other).best === best) agreed++
    divergence += divergenceOf(row, other) / before.length
  }
  const agreement = decided === 0 ? 1 : agreed / decided
  const isSame = before.length > 0 && after.length === before.length && agreement === 1
  // No number is no small one.
  return { ok: isSame && divergence <= MOST_DIVERGENCE, agreement, divergence }
}

const NOTHING = new Float32Array(0)

/** The likeliest id, and whether it leads the second by more than a small share of how far the logits spread. */
function leaderOf(row: Float32Array): { readonly best: number; readonly isDecided: boolean } {
  let best = -1
  let second = Number.NEGATIVE_INFINITY
  let sum = 0
  let squares = 0
  let count = 0
  for (const [id, logit] of row.entries()) {
    if (best < 0 || logit > row[best]!) {
      second = best < 0 ? second : row[best]!
      best = id
    } else if (logit > second) second = logit
    if (!Number.isFinite(logit)) continue // ids that are masked
    sum += logit
    squares += logit * logit
    count++
  }
  const spread = Math.sqrt(Math.max(0, squares / count - (sum / count) ** 2))
  return { best, isDecided: row[best]! - second > DECIDED_LEAD * spread }
}

/** Σ p ln(p / q) over the ids, with p and q the softmax of both rows. NaN when there is no such number. */
function divergenceOf(p: Float32Array, q: Float32Array): number {
  if (p.length !== q.length) return Number.NaN
  const [pTotal, qTotal] = [logTotal(p), logTotal(q)]
  let sum = 0
  for (const [id, logit] of p.entries()) {
    const share = Math.exp(logit - pTotal)
    if (share !== 0) sum += share * (logit - pTotal - (q[id]! - qTotal))
  }
  return sum
}

/** ln Σ exp */
function logTotal(row: Float32Array): number {
  const largest = row.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY)
  return largest + Math.log(row.reduce((sum, logit) => sum + Math.exp(logit - largest), 0))
}
