import { expMinus } from './exponential.ts'

/** ln of the sum of exp over a row of logits, shape [vocabSize]: a logit less this is a log-probability. @param best the greatest */
export function logTotal(row: Float32Array, best: number): number {
  let total = 0
  for (let id = 0; id < row.length; id++) total += expMinus(best - row[id]!)
  return best + Math.log(total)
}
