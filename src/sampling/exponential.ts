/**
 * exp(-depth) for depth >= 0, from additions and multiplications alone. `Math.exp` may differ in the last bit from
 * one engine or processor to the next; IEEE arithmetic may not, so that a seed gives the same ids everywhere.
 *
 * A depth is how far a score lies under the best one. It is rounded to a whole number of 1/1024, whose exponential
 * is the product of two table entries; the rest, at most 1/2048, goes into the Taylor polynomial of degree 3.
 * Relative error below 5e-15.
 */

/** The histograms of depth have this many steps in one unit. */
export const STEPS_PER_UNIT = 16
/** Steps in all; deeper than 64 counts as the last. */
export const STEPS = 1024

const FINE = 1024
const DEEPEST = 63.99

/** exp(-2^i / 16). */
const STEP_FACTORS = [
  0.9394130628134758, 0.8824969025845955, 0.7788007830714049, 0.6065306597126334, 0.36787944117144233,
  0.1353352832366127, 0.01831563888873418, 0.00033546262790251185, 1.1253517471925912e-7,
  1.2664165549094176e-14,
] as const
/** exp(-2^i / 1024). */
const FINE_FACTORS = [
  0.9990239141819757, 0.9980487811074755, 0.9961013694701175, 0.9922179382602435, 0.9844964370054085,
  0.9692332344763441,
] as const

const STEP_TABLE = makeTable(STEP_FACTORS)
const FINE_TABLE = makeTable(FINE_FACTORS)

/** exp(-depth); 0 from 745.2 on, where a double has nothing smaller left. */
export function expMinus(depth: number): number {
  if (depth < DEEPEST) return shallow(depth)
  return depth < 745.2 ? deep(depth) : 0
}

/** The step of a histogram that `depth` falls into. */
export function stepOf(depth: number): number {
  return depth < DEEPEST ? fineOf(depth) >> 6 : STEPS - 1
}

function fineOf(depth: number): number {
  return (depth * FINE + 0.5) | 0
}

function shallow(depth: number): number {
  const fine = fineOf(depth)
  const r = fine * (1 / FINE) - depth
  return STEP_TABLE[fine >> 6]! * FINE_TABLE[fine & 63]! * (1 + r + r * r * (1 / 2 + r * (1 / 6)))
}

/** Nobody below exp(-64) is ever drawn: sixteen times the error is fine. */
function deep(depth: number): number {
  const root = shallow(depth / 16)
  const fourth = root * root * (root * root)
  return fourth * fourth * (fourth * fourth)
}

/** Every product of the factors that the binary digits of its index name. */
function makeTable(factors: readonly number[]): Float64Array {
  const table = new Float64Array(2 ** factors.length).fill(1)
  for (let index = 1; index < table.length; index++) {
    const top = 31 - Math.clz32(index)
    table[index] = factors[top]! * table[index - (1 << top)]!
  }
  return table
}
