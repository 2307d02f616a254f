/** In which order samples are taken: seeded, balanced, so that a drift of the machine falls on every arm alike. */

/** Numbers in [0, 1) from a seed (Marsaglia's 32-bit xorshift). */
export function makeRandom(seed) {
  let state = seed >>> 0 || 1
  const next = () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) / 2 ** 32
  }
  for (let i = 0; i < 16; i++) next() // small seeds start with small numbers
  return next
}

export function shuffled(items, random) {
  const result = [...items]
  for (let last = result.length - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1))
    ;[result[last], result[other]] = [result[other], result[last]]
  }
  return result
}

/** A block: every item once in a shuffled order, then once in the reverse of it (ABBA). */
export function block(items, random) {
  const order = shuffled(items, random)
  return [...order, ...order.toReversed()]
}

/** Prompt ids below `limit`, past the low ids where special tokens live; a longer prompt begins with the shorter one. */
export function promptIds(length, limit, random) {
  return Array.from({ length }, () => 1000 + Math.floor(random() * (limit - 1000)))
}
