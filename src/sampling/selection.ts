/**
 * Order statistics without sorting: each search throws away, on average, a constant share of what is left.
 * Results leave through fields and the arrays themselves; a returned double would be a heap object per token.
 */

/** Moves the `k` largest of the first `count` values to the front, the k-th largest itself to `values[k - 1]`. */
export function selectLargest(values: Float32Array, count: number, k: number): void {
  let low = 0
  let high = count - 1
  while (low < high) {
    const pivot = middle(values[low]!, values[(low + high) >>> 1]!, values[high]!)
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

/** Finds the key at which mass, added up in ascending order of keys, reaches a target. */
export class MassCut {
  readonly keys: Float64Array
  readonly masses: Float64Array
  target = 0.5
  /** After `find`: the key found, the mass of everything under it. */
  key = 0.5
  below = 0.5

  constructor(capacity: number) {
    this.keys = new Float64Array(capacity)
    this.masses = new Float64Array(capacity)
  }

  put(index: number, key: number, mass: number): void {
    this.keys[index] = key
    this.masses[index] = mass
  }

  /**
   * Looks through the first `count` (at least 1) keys, which it reorders. With a target of nothing it finds the
   * smallest key; when rounding leaves the target unreached, the largest.
   */
  find(count: number): void {
    const { keys, masses, target } = this
    let low = 0
    let high = count
    this.below = 0
    for (;;) {
      const pivot = middle(keys[low]!, keys[(low + high) >>> 1]!, keys[high - 1]!)
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
      if (less > low && this.below + lessMass >= target) {
        high = less
      } else if (more === high || this.below + lessMass + equalMass >= target) {
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

function middle(a: number, b: number, c: number): number {
  return Math.max(Math.min(a, b), Math.min(Math.max(a, b), c))
}

function swap(values: Float32Array | Float64Array, i: number, j: number): void {
  const value = values[i]!
  values[i] = values[j]!
  values[j] = value
}
