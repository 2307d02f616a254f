/**
 * Order statistics without sorting: each search throws away, on average, a constant share of what is left.
 * Doubles come and go through fields and arrays: as arguments and results of a function that the engine does not
 * inline they would be heap objects, every token.
 */
import { STEPS, stepOf } from './exponential.ts'

/**
 * The first id from `from` on whose value is above the bar, or NaN; the length when there is none. Four at a time:
 * three times as fast as one by one.
 */
export function nextAbove(values: Float32Array, from: number, bar: Float32Array): number {
  const level = bar[0]!
  const { length } = values
  let id = from
  while (
    id + 3 < length &&
    values[id]! <= level &&
    values[id + 1]! <= level &&
    values[id + 2]! <= level &&
    values[id + 3]! <= level
  )
    id += 4
  while (id < length && values[id]! <= level) id++
  return id
}

/** Moves the `k` largest of the first `count` values to the front, the k-th largest itself to `values[k - 1]`. */
export function selectLargest(values: Float32Array, count: number, k: number): void {
  let low = 0
  let high = count - 1
  while (low < high) {
    const pivot = values[medianOf(values, low, high)]!
    let i = low
    let j = high
    while (i <= j) {
      while (values[i]! > pivot) i++
      while (values[j]! < pivot) j--
      if (i > j) break
      swap(values, i++, j--)
    }
    if (k - 1 <= j) high = j
    else if (k - 1 >= i) low = i
    else return
  }
}

/**
 * Finds the key at which mass, added up in ascending order of keys, reaches a target. A histogram says in which
 * step of keys that happens; only the keys of that step are then searched.
 */
export class MassCut {
  target = 0.5
  /** After `find`: the key found, and the mass of everything under it. */
  key = 0.5
  below = 0.5
  readonly #steps = new Float64Array(STEPS)
  readonly #keys: Float64Array
  readonly #masses: Float64Array

  constructor(capacity: number) {
    this.#keys = new Float64Array(capacity)
    this.#masses = new Float64Array(capacity)
  }

  /**
   * Looks through the first `count` keys, at least one of which has mass. With a target of nothing it finds the
   * smallest key; when rounding leaves the target unreached, the largest with mass.
   */
  find(keys: Float64Array, masses: Float64Array, count: number): void {
    const step = this.#findStep(keys, masses, count)
    let found = 0
    for (let i = 0; i < count; i++) {
      if (stepOf(keys[i]!) !== step) continue
      this.#keys[found] = keys[i]!
      this.#masses[found++] = masses[i]!
    }
    this.#search(found)
  }

  #findStep(keys: Float64Array, masses: Float64Array, count: number): number {
    const steps = this.#steps.fill(0)
    for (let i = 0; i < count; i++) {
      const step = stepOf(keys[i]!)
      steps[step] = steps[step]! + masses[i]!
    }
    let last = 0
    let below = 0
    for (let step = 0; step < STEPS && (below < this.target || below === 0); step++) {
      if (steps[step] === 0) continue
      last = step
      this.below = below
      below += steps[step]!
    }
    return last
  }

  /** Three-way quickselect by mass, from `below` on. */
  #search(count: number): void {
    const keys = this.#keys
    const masses = this.#masses
    let low = 0
    let high = count
    for (;;) {
      const pivot = keys[medianOf(keys, low, high - 1)]!
      let less = low
      let more = high
      let lessMass = 0
      let equalMass = 0
      for (let i = low; i < more; ) {
        const key = keys[i]!
        if (key < pivot) {
          lessMass += masses[i]!
          swap(keys, less, i)
          swap(masses, less++, i++)
        } else if (key > pivot) {
          swap(keys, i, --more)
          swap(masses, i, more)
        } else {
          equalMass += masses[i++]!
        }
      }
      if (less > low && this.below + lessMass >= this.target) {
        high = less
      } else if (more === high || this.below + lessMass + equalMass >= this.target) {
        this.key = pivot
        this.below += lessMass
        return
      } else {
        this.below += lessMass + equalMass
        low = more
      }
    }
  }
}

/** The index of the median of the first, the middle and the last value. */
function medianOf(values: Float32Array | Float64Array, first: number, last: number): number {
  const middle = (first + last) >>> 1
  const low = values[first]! < values[last]! ? first : last
  const high = first + last - low
  if (values[middle]! < values[low]!) return low
  return values[middle]! > values[high]! ? high : middle
}

function swap(values: Float32Array | Float64Array, i: number, j: number): void {
  const value = values[i]!
  values[i] = values[j]!
  values[j] = value
}
