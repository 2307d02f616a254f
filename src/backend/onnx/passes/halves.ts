/** Whether numbers of fp32 are the same in fp16. */

/** Normal numbers of fp16, or zero: the few smaller ones that there are count as none. */
export function areHalves(numbers: Float32Array): boolean {
  const bits = new Uint32Array(numbers.buffer, numbers.byteOffset, numbers.length)
  for (let i = 0; i < bits.length; i++) {
    const number = bits[i]!
    const exponent = (number >>> 23) & 255
    const isHalf = (number & 0x1fff) === 0 && exponent >= LOWEST && exponent <= HIGHEST
    if (!isHalf && number << 1 !== 0) return false
  }
  return true
}

/** Exponents of 2^-14 and 2^15, as fp32 has them. */
const LOWEST = 127 - 14
const HIGHEST = 127 + 15
