/** Half precision to single: logits of fp16 graphs. A table of all 65,536 values costs 256 kB and one read each. */

let table: Float32Array | undefined

/** Writes `bits` (IEEE 754 binary16) as numbers into `out`. */
export function float16ToFloat32(bits: Uint16Array, out: Float32Array): void {
  table ??= makeTable()
  for (let i = 0; i < bits.length; i++) out[i] = table[bits[i]!]!
}

function makeTable(): Float32Array {
  const values = new Float32Array(1 << 16)
  for (let i = 0; i < values.length; i++) values[i] = float16Value(i)
  return values
}

function float16Value(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1
  const exponent = (bits >> 10) & 0x1f
  const fraction = bits & 0x3ff
  if (exponent === 0) return sign * fraction * 2 ** -24
  if (exponent === 0x1f) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15)
}
