/** A binary heap of numbers, the smallest first. */
export interface Heap {
  push(key: number): void
  pop(): number | undefined
}

export function createHeap(): Heap {
  const keys: number[] = []

  function push(key: number): void {
    let at = keys.length
    keys.push(key)
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (keys[parent]! <= key) break
      keys[at] = keys[parent]!
      at = parent
    }
    keys[at] = key
  }

  function pop(): number | undefined {
    const top = keys[0]
    const last = keys.pop()
    if (keys.length > 0) sink(last!)
    return top
  }

  function sink(key: number): void {
    let at = 0
    for (let child = 1; child < keys.length; child = 2 * at + 1) {
      if (child + 1 < keys.length && keys[child + 1]! < keys[child]!) child++
      if (keys[child]! >= key) break
      keys[at] = keys[child]!
      at = child
    }
    keys[at] = key
  }

  return { push, pop }
}
