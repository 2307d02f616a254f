/** Sets of bytes, each kept once: equal sets have equal ids, so that a set is compared and hashed as a number. */

/** 256 bits. */
export type ByteSet = Uint32Array

export function emptySet(): ByteSet {
  return new Uint32Array(8)
}

export function addRange(set: ByteSet, from: number, to: number): ByteSet {
  for (let byte = from; byte <= to; byte++) set[byte >> 5]! |= 1 << (byte & 31)
  return set
}

function hasByte(set: ByteSet, byte: number): boolean {
  return ((set[byte >> 5]! >>> (byte & 31)) & 1) === 1
}

export class ByteSets {
  readonly #sets: ByteSet[] = []
  readonly #ids = new Map<string, number>()
  readonly #single = new Int32Array(256).fill(-1)

  id(set: ByteSet): number {
    const key = set.join()
    let id = this.#ids.get(key)
    if (id === undefined) {
      id = this.#sets.length
      this.#sets.push(set.slice())
      this.#ids.set(key, id)
    }
    return id
  }

  ofByte(byte: number): number {
    if (this.#single[byte] === -1) this.#single[byte] = this.id(addRange(emptySet(), byte, byte))
    return this.#single[byte]!
  }

  ofRange(from: number, to: number): number {
    return from === to ? this.ofByte(from) : this.id(addRange(emptySet(), from, to))
  }

  get(id: number): ByteSet {
    return this.#sets[id]!
  }

  has(id: number, byte: number): boolean {
    return hasByte(this.#sets[id]!, byte)
  }

  isEmpty(id: number): boolean {
    return this.#sets[id]!.every((word) => word === 0)
  }

  /** The bytes that are in both, or in either. */
  combine(a: number, b: number, how: 'and' | 'or'): number {
    if (a === b) return a
    const [x, y] = [this.get(a), this.get(b)]
    return this.id(x.map((word, i) => (how === 'and' ? word & y[i]! : word | y[i]!) >>> 0))
  }
}

/** Bytes that behave alike share a class. */
export interface ByteClasses {
  /** The class of each byte. */
  readonly of: Uint8Array
  /** A byte of each class. */
  readonly sample: Uint8Array
}

/** The coarsest classes that no set of the list cuts. */
export function classesOf(sets: ByteSets, ids: Iterable<number>): ByteClasses {
  const of = new Uint8Array(256)
  let count = 1
  const split = new Int16Array(256)
  const outside = new Uint8Array(256)
  for (const id of ids) {
    const set = sets.get(id)
    split.fill(-1, 0, count)
    outside.fill(0, 0, count)
    for (let byte = 0; byte < 256; byte++) if (!hasByte(set, byte)) outside[of[byte]!] = 1
    const before = count
    for (let byte = 0; byte < 256; byte++) {
      const group = of[byte]!
      if (group >= before || outside[group] === 0 || !hasByte(set, byte)) continue
      if (split[group] === -1) split[group] = count++
      of[byte] = split[group]!
    }
    if (count === 256) break
  }
  const sample = new Uint8Array(count)
  for (let byte = 255; byte >= 0; byte--) sample[of[byte]!] = byte
  return { of, sample }
}
