/**
 * Weights in blocks of 32 along the input, 8 bits each around 128, one scale a block: as MatMulNBits reads them, and as
 * ONNX Runtime's own quantizer makes them (MlasQuantizeBlockwise, symmetric), number for number.
 */
import { float16ToFloat32 } from '../onnx-file/float16.ts'

export const BLOCK = 32
const ZERO = 128

export interface EightBits {
  /** [N, K / 32, 32] */
  readonly codes: Uint8Array
  /** [N, K / 32] */
  readonly scales: Float32Array
}

interface WeightLayout {
  /** Size of the input; a multiple of 32. */
  readonly k: number
  /** Size of the output. */
  readonly n: number
  /** The rows are of the output, [N, K], and not of the input, [K, N]. */
  readonly isTransposed: boolean
  /** Numbers of two bytes. */
  readonly isHalf: boolean
}

/** Bytes to read at a time: rows enough for whole blocks. */
export function sliceBytesOf({ k, n, isTransposed, isHalf }: WeightLayout): number {
  const numbers = isTransposed ? k * Math.max(1, Math.floor(SLICE_NUMBERS / k)) : BLOCK * n
  return numbers * (isHalf ? 2 : 4)
}

const SLICE_NUMBERS = 1 << 20

/** @param slices of the weight, as long as `sliceBytesOf` says. `undefined` when they are not the whole weight. */
export function quantizeSlices(slices: Iterable<Uint8Array>, layout: WeightLayout): EightBits | undefined {
  const { k, n, isTransposed } = layout
  const made = { codes: new Uint8Array(n * k), scales: new Float32Array((n * k) / BLOCK) }
  let done = 0
  for (const slice of slices) {
    const values = numbersOf(slice, layout.isHalf)
    if (isTransposed) quantizeRows(values, done, made)
    else quantizeColumns(values, done / n, layout, made)
    done += values.length
  }
  return done === n * k ? made : undefined
}

function numbersOf({ buffer, byteOffset, byteLength }: Uint8Array, isHalf: boolean): Float32Array {
  if (!isHalf) return new Float32Array(buffer, byteOffset, byteLength / 4)
  const values = new Float32Array(byteLength / 2)
  float16ToFloat32(new Uint16Array(buffer, byteOffset, values.length), values)
  return values
}

/** Blocks one after the other, as they are written. */
function quantizeRows(values: Float32Array, done: number, made: EightBits): void {
  for (let at = 0; at < values.length; at += BLOCK)
    quantizeBlock(values, at, { step: 1, to: done + at }, made)
}

/** 32 rows from row `first` on: one block of every column. */
function quantizeColumns(values: Float32Array, first: number, { k, n }: WeightLayout, made: EightBits): void {
  if (values.length !== BLOCK * n) return
  for (let column = 0; column < n; column++) {
    quantizeBlock(values, column, { step: n, to: column * k + first }, made)
  }
}

interface BlockPlace {
  /** From one number of the block to the next. */
  readonly step: number
  /** The first code. */
  readonly to: number
}

/** The number farthest from zero becomes code 0, so the steps reach one further on its side than on the other. */
function quantizeBlock(
  values: Float32Array,
  from: number,
  { step, to }: BlockPlace,
  { codes, scales }: EightBits,
): void {
  let low = 0
  let high = 0
  for (let i = 0, at = from; i < BLOCK; i++, at += step) {
    const value = values[at]!
    if (value < low) low = value
    else if (value > high) high = value
    else if (Number.isNaN(value)) low = Number.NaN
  }
  const scale = Math.fround((high > -low ? high : low) / -ZERO)
  const inverse = scale === 0 ? 0 : Math.fround(1 / scale)
  scales[to / BLOCK] = scale
  for (let i = 0, at = from; i < BLOCK; i++, at += step) {
    const code = Math.round(Math.fround(Math.fround(values[at]! * inverse) + ZERO))
    codes[to + i] = code > 255 ? 255 : code
  }
}
