/**
 * Matmuls of quantized weights as all kernels compute them, to the last bit: plain, slow, and the definition. A block of 32 rows is
 * an exact whole number; blocks are added in their order, each scaled once. No sum is taken in any other order.
 */
import { exp } from './exp.ts'
import * as fp32 from './fp32.ts'

export const BLOCK = 32

/** Weights of one matmul, column after column. */
export interface QuantizedWeights {
  /** Rows. */
  readonly k: number
  /** Columns. */
  readonly n: number
  /** Of a code, 4 or 8. */
  readonly bits: number
  /** [n][k] */
  readonly codes: Uint8Array
  /** [n][k / 32] */
  readonly scales: Float32Array
  /** [n][k / 32]; half of what the bits count unless told otherwise. */
  readonly zeros?: Uint8Array | undefined
}

/** 32 numbers as whole ones from -127 to 127, and what these are multiplied with. */
interface QuantizedBlock {
  readonly codes: Int8Array
  readonly scale: number
}

/** The largest becomes 127, halves go to the even number. What is not finite makes a scale that is no number. */
function quantizeBlock(numbers: Float32Array): QuantizedBlock {
  const largest = Math.max(2 ** -100, ...numbers.map(Math.abs))
  if (!Number.isFinite(largest)) return { codes: new Int8Array(BLOCK), scale: Number.NaN }
  const inverse = fp32.div(127, largest)
  return {
    codes: Int8Array.from(numbers, (x) => fp32.toInt(fp32.mul(x, inverse))),
    scale: fp32.mul(largest, Math.fround(1 / 127)),
  }
}

/** rows × weights. @param rows [count][k] */
export function matmul(rows: Float32Array, weights: QuantizedWeights): Float32Array {
  const { k, n, bits, codes, scales, zeros } = weights
  const blocks = k / BLOCK
  const result = new Float32Array((rows.length / k) * n)
  for (let row = 0; row * k < rows.length; row++) {
    for (let block = 0; block < blocks; block++) {
      const from = row * k + block * BLOCK
      const x = quantizeBlock(rows.subarray(from, from + BLOCK))
      for (let column = 0; column < n; column++) {
        const zero = zeros?.[column * blocks + block] ?? 2 ** (bits - 1)
        let sum = 0
        for (let i = 0; i < BLOCK; i++) {
          sum += x.codes[i]! * (codes[column * k + block * BLOCK + i]! - zero)
        }
        const scaled = fp32.mul(sum, scales[column * blocks + block]!)
        const place = row * n + column
        result[place] = fp32.fma(scaled, x.scale, result[place]!)
      }
    }
  }
  return result
}

/** SwiGLU: gate / (1 + e^-gate) · up. */
export function swiglu(gate: Float32Array, up: Float32Array): Float32Array {
  return gate.map((x, i) => fp32.mul(fp32.div(x, fp32.add(exp(fp32.sub(0, x)), 1)), up[i]!))
}
