/** Sets of bytes, each kept once: equal sets have equal ids, so that a set is compared and hashed as a number. */

/** 256 bits. */
export type ByteSet = Uint32Array

export function emptySet(): ByteSet {
  return new Uint32Array(8)
}

export function addRange(set: ByteSet, from: number, to: number): ByteSet {
  for (let word = from >> 5; word <= to >> 5; word++) {
    const first = Math.max(from, 32 * word) & 31
    const last = Math.min(to, 32 * word + 31) & 31
    set[word]! |= (0xffffffff << first) & (0xffffffff >>> (31 - last))
  }
  return set
}

function hasByte(set: ByteSet, byte: number): boolean {
  return ((set[byte >> 5]! >>> (byte & 31)) & 1) === 1
}

export class ByteSets {
  readonly #sets: ByteSet[] = []
  readonly #members: (readonly number[] | undefined)[] = []
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

  /** Its bytes, in ascending order. */
  members(id: number): readonly number[] {
    const known = this.#members[id] ?? membersOf(this.#sets[id]!)
    this.#members[id] = known
    return known
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

function membersOf(set: ByteSet): number[] {
  const members: number[] = []
  for (let word = 0; word < set.length; word++)
    for (let left = set[word]!; left !== 0; left &= left - 1)
      members.push(32 * word + 31 - Math.clz32(left & -left))
  return members
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
  const sizes = new Uint16Array(256)
  sizes[0] = 256
  let count = 1
  // Of a set that is gone through: how many of its bytes each class has, and the class that those become.
  const inside = new Uint16Array(256)
  const split = new Int16Array(256).fill(-1)
  for (const id of ids) {
    const members = sets.members(id)
    for (const byte of members) inside[of[byte]!]!++
    for (const byte of members) {
      const group = of[byte]!
      if (inside[group] === sizes[group] && split[group] === -1) continue
      if (split[group] === -1) split[group] = count++
      of[byte] = split[group]!
      sizes[split[group]!]!++
      sizes[group]!--
      inside[group]!--
    }
    inside.fill(0, 0, count)
    split.fill(-1, 0, count)
    if (count === 256) break
  }
  const sample = new Uint8Array(count)
  for (let byte = 255; byte >= 0; byte--) sample[of[byte]!] = byte
  return { of, sample }
}
