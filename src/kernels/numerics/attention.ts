/**
 * Attention as all kernels compute it, to the last bit: plain, slow, and the definition. 128 keys are a segment, whose scores, powers
 * and weighted values are made for themselves; segments are merged in their order (the softmax of FlashAttention).
 */
import { exp } from './exp.ts'
import { foldLanes, LANES } from './fold.ts'
import * as fp32 from './fp32.ts'

export const SEGMENT = 128
/** What the largest of scores starts from. */
const SMALLEST = Math.fround(-1e30)

/** One head of one token, rotated by its position: halves of it against each other. */
export function rotate(head: Float32Array, cos: Float32Array, sin: Float32Array): Float32Array {
  const half = head.length / 2
  const result = new Float32Array(head.length)
  for (let i = 0; i < half; i++) {
    const [x, y] = [head[i]!, head[half + i]!]
    result[i] = fp32.fma(-y, sin[i]!, fp32.mul(x, cos[i]!))
    result[half + i] = fp32.fma(x, sin[i]!, fp32.mul(y, cos[i]!))
  }
  return result
}

/** What a segment makes of a query. */
interface Partial {
  readonly sums: Float32Array
  readonly largest: number
  readonly sum: number
}

/** One query, rotated and scaled, over the keys and values that it sees, [count][headDim] each. */
export function attend(query: Float32Array, keys: Float32Array, values: Float32Array): Float32Array {
  const size = query.length
  let whole: Partial | undefined
  for (let from = 0; from < keys.length; from += SEGMENT * size) {
    const end = from + SEGMENT * size
    const next = attendSegment(query, keys.subarray(from, end), values.subarray(from, end))
    whole = whole === undefined ? next : merge(whole, next)
  }
  const { sums, sum } = whole!
  return sums.map((x) => fp32.div(x, sum))
}

function attendSegment(query: Float32Array, keys: Float32Array, values: Float32Array): Partial {
  const size = query.length
  const scores = Float32Array.from({ length: keys.length / size }, (_, key) => {
    return query.reduce((sum, x, d) => fp32.fma(keys[key * size + d]!, x, sum), 0)
  })
  const largest = scores.reduce((most, score) => fp32.max(most, score), SMALLEST)
  const powers = scores.map((score) => exp(fp32.sub(score, largest)))
  const sums = new Float32Array(size)
  for (const [key, power] of powers.entries()) {
    for (let d = 0; d < size; d++) sums[d] = fp32.fma(values[key * size + d]!, power, sums[d]!)
  }
  return { sums, largest, sum: fold(powers) }
}

/** Lane i sums up the numbers i, i + 16, … */
function fold(numbers: Float32Array): number {
  const lanes = new Float32Array(LANES)
  for (const [i, x] of numbers.entries()) lanes[i % LANES] = fp32.add(lanes[i % LANES]!, x)
  return foldLanes(lanes)
}

function merge(before: Partial, after: Partial): Partial {
  const largest = fp32.max(before.largest, after.largest)
  const [left, right] = [before, after].map((each) => exp(fp32.sub(each.largest, largest))) as [
    number,
    number,
  ]
  const both = (a: number, b: number): number => fp32.fma(right, b, fp32.mul(a, left))
  return {
    sums: before.sums.map((x, i) => both(x, after.sums[i]!)),
    largest,
    sum: both(before.sum, after.sum),
  }
}
