import { closeSync, readSync } from 'node:fs'
import { openRegular } from '../system/regular-file.ts'

// Protobuf's wire format, read from a file without reading the file: a window of it is held, and whatever is not
// asked for is skipped by its length. A graph of a gigabyte costs some small reads.

/**
 * Told of one field of a message: its number, the bytes between which its content lies in the file, and, of a number, its
 * value as far as a number holds it.
 */
export type FieldVisitor = (number: number, start: number, end: number, value: number) => void

/** The bytes do not follow the wire format. */
export class WireError extends Error {
  override readonly name = 'WireError'
}

const WINDOW = 8 * 1024

/** A protobuf message in a file. Whoever opens it closes it. */
export class ProtobufFile {
  readonly size: number
  readonly #handle: number
  readonly #window = Buffer.allocUnsafe(WINDOW)
  #windowStart = 0
  #windowEnd = 0
  /** Where the number read last ends. */
  #next = 0

  constructor(path: string, size: number) {
    this.#handle = openRegular(path)
    this.size = size
  }

  /** Calls `visit` for every field between `start` and `end`. Throws `WireError` where a field does not fit. */
  eachField(start: number, end: number, visit: FieldVisitor): void {
    for (let at = start; at < end; ) {
      const key = this.#varint(at, end)
      const wire = key & 7
      if (key < 8) throw new WireError(`field number 0 at byte ${at}`)
      const value = wire === 0 || wire === 2 ? this.#varint(this.#next, end) : 0
      const contentStart = this.#next
      const contentEnd = contentStart + contentLength(wire, value)
      if (contentEnd > end) throw new WireError(`a field ends at byte ${contentEnd}, beyond byte ${end}`)
      visit(Math.floor(key / 8), contentStart, contentEnd, value)
      at = contentEnd
    }
  }

  /** The bytes from `start` to `end` as UTF-8, cut after `WINDOW` of them. */
  text(start: number, end: number): string {
    const stop = Math.min(end, start + WINDOW)
    if (start < this.#windowStart || stop > this.#windowEnd) this.#fill(start)
    return this.#window.toString('utf8', start - this.#windowStart, stop - this.#windowStart)
  }

  /** Whether the bytes from `start` to `end` hold `needle`. */
  includes(start: number, end: number, needle: Buffer): boolean {
    for (let at = start; at + needle.length <= end; at = this.#windowEnd - needle.length + 1) {
      if (at < this.#windowStart || Math.min(end, at + needle.length) > this.#windowEnd) this.#fill(at)
      const stop = Math.min(end, this.#windowEnd)
      if (stop - at < needle.length) return false
      const found = this.#window.subarray(at - this.#windowStart, stop - this.#windowStart)
      if (found.includes(needle)) return true
      if (stop === end) return false
    }
    return false
  }

  close(): void {
    closeSync(this.#handle)
  }

  /** The number at `at`, which may be larger than a number holds exactly; `#next` is then behind it. */
  #varint(at: number, end: number): number {
    let value = 0
    let scale = 1
    for (let next = at; next < end && next < at + 10; scale *= 128) {
      if (next < this.#windowStart || next >= this.#windowEnd) this.#fill(next)
      const byte = this.#window[next++ - this.#windowStart]!
      value += (byte & 127) * scale
      if (byte >= 128) continue
      this.#next = next
      return value
    }
    throw new WireError(`no number at byte ${at}`)
  }

  #fill(at: number): void {
    const read = readSync(this.#handle, this.#window, 0, WINDOW, at)
    if (read === 0 && at < this.size) throw new WireError(`the file ends at byte ${at}`)
    this.#windowStart = at
    this.#windowEnd = at + read
  }
}

function contentLength(wire: number, value: number): number {
  if (wire === 0) return 0
  if (wire === 1) return 8
  if (wire === 2) return value
  if (wire === 5) return 4
  throw new WireError(`wire type ${wire}`)
}
