/** A binary heap of numbers, the smallest first. */
interface Heap {
  push(key: number): void
  pop(): number | undefined
}

/** @param room for so many keys at once; it grows. */
export function createHeap(room: number): Heap {
  let keys = new Float64Array(Math.max(room, 1))
  let count = 0

  function push(key: number): void {
    if (count === keys.length) {
      const larger = new Float64Array(2 * count)
      larger.set(keys)
      keys = larger
    }
    let at = count++
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (keys[parent]! <= key) break
      keys[at] = keys[parent]!
      at = parent
    }
    keys[at] = key
  }

  function pop(): number | undefined {
    if (count === 0) return undefined
    const top = keys[0]!
    const last = keys[--count]!
    if (count > 0) sink(last)
    return top
  }

  function sink(key: number): void {
    let at = 0
    for (let child = 1; child < count; child = 2 * at + 1) {
      if (child + 1 < count && keys[child + 1]! < keys[child]!) child++
      if (keys[child]! >= key) break
      keys[at] = keys[child]!
      at = child
    }
    keys[at] = key
  }

  return { push, pop }
}
