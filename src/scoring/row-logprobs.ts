/** Log-probabilities of the ids after a row of logits, as the model gave them: no temperature, no penalty, no filter. */
import { logTotal } from '../sampling/log-total.ts'
import { argmax, refuseRow } from '../sampling/scan.ts'

/** ln of the sum of exp over the row, shape [vocabSize]. @throws SpoutError `failed` when a logit is not finite */
export function totalOf(row: Float32Array, step: number): number {
  const best = argmax(row)
  if (best < 0) throw refuseRow(row, step)
  return logTotal(row, row[best]!)
}

/** ln of the probability that one of `ids` comes next. @param total of `totalOf` */
export function anyOf(ids: Iterable<number>, row: Float32Array, total: number): number {
  let best = Number.NEGATIVE_INFINITY
  for (const id of ids) best = Math.max(best, row[id]!)
  if (best === Number.NEGATIVE_INFINITY) return best
  let sum = 0
  for (const id of ids) sum += Math.exp(row[id]! - best)
  return best + Math.log(sum) - total
}
