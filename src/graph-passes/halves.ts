/** Whether all numbers of an fp32 tensor can be stored as fp16 without loss. */

/** True when each is zero or a normal number of fp16; fp16's subnormal numbers are treated as not representable. */
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
