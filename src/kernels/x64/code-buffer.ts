/** Bytes of machine code that grow, and the jumps between them. */

/** A place in the code that is jumped to; bound once. */
export interface Label {
  position: number | undefined
  /** Where the four bytes of a distance wait for it. */
  readonly waiting: number[]
}

export class CodeBuffer {
  #bytes = new Uint8Array(4096)
  #length = 0

  get length(): number {
    return this.#length
  }

  /** Two or three, where they are given: kernels are written each time the program starts. */
  byte(first: number, second?: number, third?: number): void {
    if (this.#length + 3 > this.#bytes.length) this.#grow()
    this.#bytes[this.#length++] = first
    if (second !== undefined) this.#bytes[this.#length++] = second
    if (third !== undefined) this.#bytes[this.#length++] = third
  }

  /** @throws RangeError for a number that has no place in 32 bits. */
  int32(value: number): void {
    if (value !== (value | 0) && value !== value >>> 0) throw new RangeError(`${value} in 32 bits`)
    this.byte(value & 255, (value >> 8) & 255)
    this.byte((value >> 16) & 255, (value >> 24) & 255)
  }

  /** A number that the processor extends by its sign. @throws RangeError for one that has no place in 31 bits and a sign. */
  signed32(value: number): void {
    if (value !== (value | 0)) throw new RangeError(`${value} in 32 bits with a sign`)
    this.int32(value)
  }

  int64(value: bigint): void {
    this.int32(Number(BigInt.asIntN(32, value)))
    this.int32(Number(BigInt.asIntN(32, value >> 32n)))
  }

  label(): Label {
    return { position: undefined, waiting: [] }
  }

  /** The label stands for the place where the next instruction is written. */
  bind(label: Label): void {
    label.position = this.#length
    for (const place of label.waiting) this.#writeDistance(place, this.#length)
  }

  /** Starts on a multiple of `bytes`, which must be a power of two; what is skipped traps. */
  align(bytes: number): void {
    while (this.#length % bytes !== 0) this.byte(0xcc)
  }

  /** The distance from the end of these four bytes to the label. */
  distanceTo(label: Label): void {
    const place = this.#length
    this.int32(0)
    if (label.position === undefined) label.waiting.push(place)
    else this.#writeDistance(place, label.position)
  }

  /** A copy of what was written. */
  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#length)
  }

  #writeDistance(place: number, target: number): void {
    new DataView(this.#bytes.buffer).setInt32(place, target - (place + 4), true)
  }

  #grow(): void {
    const larger = new Uint8Array(2 * this.#bytes.length)
    larger.set(this.#bytes)
    this.#bytes = larger
  }
}
