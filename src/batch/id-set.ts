/**
 * The ids of a batch, to find the second of two equal ones. Of each only 64 bits of a hash are kept, 16 to 32 bytes in memory:
 * of ten million different ids two are taken for equal with a chance of three in a million.
 */
import { createHash } from 'node:crypto'

const FIRST_SLOTS = 1024

export class IdSet {
  /** Open addressing: a hash of 0 is a free slot. */
  #slots = new BigUint64Array(FIRST_SLOTS)
  #size = 0

  /** @returns false when it is there already */
  add(id: string): boolean {
    if (2 * this.#size >= this.#slots.length) this.#grow()
    const hash = createHash('sha256').update(id).digest().readBigUInt64LE() || 1n
    if (!put(this.#slots, hash)) return false
    this.#size++
    return true
  }

  #grow(): void {
    const larger = new BigUint64Array(2 * this.#slots.length)
    for (const hash of this.#slots) if (hash !== 0n) put(larger, hash)
    this.#slots = larger
  }
}

function put(slots: BigUint64Array, hash: bigint): boolean {
  const mask = slots.length - 1
  let at = Number(hash & BigInt(mask))
  while (slots[at] !== 0n) {
    if (slots[at] === hash) return false
    at = (at + 1) & mask
  }
  slots[at] = hash
  return true
}
