/**
 * exp(-depth) for depth >= 0, from additions and multiplications alone. `Math.exp` may differ in the last bit from
 * one engine or processor to the next; IEEE arithmetic may not, so that a seed gives the same ids everywhere.
 *
 * A depth is how far a score lies under the best one. It is rounded to a step of 1/32; the step's exponential
 * comes from a table and the rest, at most 1/64, from the Taylor polynomial of degree 6. Relative error below 3e-15.
 */

/** Steps of the table in one unit of depth. */
export const STEPS_PER_UNIT = 32
/** Entries of the table: depths below 64. */
export const STEPS = 2048

const STEP = 1 / STEPS_PER_UNIT
/** exp(-2^i / 32). */
const FACTORS = [
  0.9692332344763441, 0.9394130628134758, 0.8824969025845955, 0.7788007830714049, 0.6065306597126334,
  0.36787944117144233, 0.1353352832366127, 0.01831563888873418, 0.00033546262790251185, 1.1253517471925912e-7,
  1.2664165549094176e-14,
] as const
const TABLE = makeTable()

/** The table's step nearest to `depth`; `STEPS` and above when it lies past the table. Needs depth < 2^26. */
export function stepOf(depth: number): number {
  return (depth * STEPS_PER_UNIT + 0.5) | 0
}

/** exp(-depth); 0 from 745.2 on, where a double has nothing smaller left. */
export function expMinus(depth: number): number {
  if (depth < 63.98) return shallow(depth)
  return depth < 745.2 ? deep(depth) : 0
}

function shallow(depth: number): number {
  const step = stepOf(depth)
  const r = step * STEP - depth
  const tail = 1 / 6 + r * (1 / 24 + r * (1 / 120 + r * (1 / 720)))
  return TABLE[step]! * (1 + r * (1 + r * (1 / 2 + r * tail)))
}

/** Below exp(-64) nobody is drawn: sixteen times the error is fine. */
function deep(depth: number): number {
  const root = shallow(depth / 16)
  const fourth = root * root * (root * root)
  return fourth * fourth * (fourth * fourth)
}

/** exp(-step / 32), each as a product of the factors that its binary digits name. */
function makeTable(): Float64Array {
  const table = new Float64Array(STEPS).fill(1)
  for (let step = 1; step < STEPS; step++) {
    const bit = 31 - Math.clz32(step)
    table[step] = FACTORS[bit]! * table[step - (1 << bit)]!
  }
  return table
}
