const lossy = new TextDecoder('utf-8', { ignoreBOM: true })
const strict = new TextDecoder('utf-8', { ignoreBOM: true, fatal: true })

/**
 * Bytes of neighbouring ids that are to be read as one text. With `lossy`, characters leave as soon as they are whole,
 * and at most three bytes wait. With `whole`, the run waits for its end: one bad byte in it turns every byte of it into a
 * U+FFFD, which only the end can tell.
 */
export class ByteRun {
  readonly #malformed: 'lossy' | 'whole'
  #bytes = new Uint8Array(64)
  #length = 0

  constructor(malformed: 'lossy' | 'whole') {
    this.#malformed = malformed
  }

  get isEmpty(): boolean {
    return this.#length === 0
  }

  /** Adds bytes and gives the characters that are now certain. */
  push(bytes: Uint8Array): string {
    this.#append(bytes)
    if (this.#malformed === 'whole') return ''
    const whole = this.#length - incompleteTail(this.#bytes, this.#length)
    if (whole === 0) return ''
    const text = lossy.decode(this.#bytes.subarray(0, whole))
    this.#bytes.copyWithin(0, whole, this.#length)
    this.#length -= whole
    return text
  }

  /** Ends the run: what was held back, U+FFFD standing for what never became a character. */
  end(): string {
    if (this.#length === 0) return ''
    const bytes = this.#bytes.subarray(0, this.#length)
    this.#length = 0
    if (this.#malformed === 'lossy') return lossy.decode(bytes)
    try {
      return strict.decode(bytes)
    } catch {
      return '\uFFFD'.repeat(bytes.length)
    }
  }

  #append(bytes: Uint8Array): void {
    if (this.#length + bytes.length > this.#bytes.length) {
      const larger = new Uint8Array(2 * (this.#length + bytes.length))
      larger.set(this.#bytes.subarray(0, this.#length))
      this.#bytes = larger
    }
    this.#bytes.set(bytes, this.#length)
    this.#length += bytes.length
  }
}

/**
 * How many of the last bytes are the beginning of a character that more bytes may complete: 0 to 3. The table of
 * well-formed sequences is Unicode's 3-7: the second byte has a narrower range after E0, ED, F0 and F4.
 */
function incompleteTail(bytes: Uint8Array, length: number): number {
  for (let size = 1; size <= 3 && size <= length; size++) {
    const lead = bytes[length - size]!
    if (lead >= 0x80 && lead < 0xc0) continue
    return size < sequenceLength(lead) && (size === 1 || secondFits(lead, bytes[length - size + 1]!))
      ? size
      : 0
  }
  return 0
}

function sequenceLength(lead: number): number {
  if (lead < 0xc2 || lead > 0xf4) return 1
  return lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4
}

function secondFits(lead: number, second: number): boolean {
  if (lead === 0xe0) return second >= 0xa0
  if (lead === 0xed) return second < 0xa0
  if (lead === 0xf0) return second >= 0x90
  if (lead === 0xf4) return second < 0x90
  return true
}
