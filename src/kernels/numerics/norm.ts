/** RMSNorm as all kernels compute it, to the last bit: plain, slow, and the definition. */
import { foldLanes, LANES } from './fold.ts'
import * as fp32 from './fp32.ts'

/** One row, over the root of its mean square, times the weights. Lane i sums up the squares of the numbers i, i + 16, … */
export function rmsNorm(row: Float32Array, weights: Float32Array, epsilon: number): Float32Array {
  const lanes = new Float32Array(LANES)
  for (const [i, x] of row.entries()) lanes[i % LANES] = fp32.fma(x, x, lanes[i % LANES]!)
  const mean = fp32.div(foldLanes(lanes), row.length)
  const inverse = fp32.div(1, fp32.sqrt(fp32.add(mean, Math.fround(epsilon))))
  return row.map((x, i) => fp32.mul(fp32.mul(x, inverse), weights[i]!))
}

/** What is normed where a residual is added before, and handed on. */
export function withResidual(row: Float32Array, residual: Float32Array): Float32Array {
  return row.map((x, i) => fp32.add(x, residual[i]!))
}
