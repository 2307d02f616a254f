/**
 * Server-sent events, read byte by byte as the WHATWG's HTML standard says (9.2.6): lines end with LF, CR or both, a byte order
 * mark at the start is none of the first line, comments say nothing, an event without its empty line never came. What does
 * not end within bounds, or is no UTF-8, is refused.
 */
import { Fault } from './fault.ts'

const [LF, CR, COLON, SPACE] = [10, 13, 58, 32]
const MOST_BYTES = 8 << 20

export class EventReader {
  readonly #mostBytes: number
  readonly #decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  /** Of the line that has not ended. */
  #line: Uint8Array[] = []
  #lineBytes = 0
  #data: string[] = []
  #dataBytes = 0
  #isFirstLine = true
  /** A line feed that comes now ends no line: the carriage return before it did. */
  #isAfterReturn = false

  /** @param mostBytes of an event */
  constructor(mostBytes = MOST_BYTES) {
    this.#mostBytes = mostBytes
  }

  /** The data of the events that end within these bytes. @throws Fault */
  *read(bytes: Uint8Array): Generator<string> {
    let from = 0
    for (let at = endOfLine(bytes, 0); at < bytes.length; at = endOfLine(bytes, from)) {
      const isSecond = bytes[at] === LF && at === from && this.#isAfterReturn
      this.#isAfterReturn = bytes[at] === CR
      if (!isSecond) {
        this.#hold(bytes.subarray(from, at))
        const data = this.#endLine()
        if (data !== undefined) yield data
      }
      from = at + 1
    }
    if (from < bytes.length) this.#isAfterReturn = false
    this.#hold(bytes.slice(from))
  }

  #hold(bytes: Uint8Array): void {
    if (bytes.length === 0) return
    this.#lineBytes += bytes.length
    if (this.#lineBytes + this.#dataBytes > this.#mostBytes)
      throw new Fault(`an event of more than ${this.#mostBytes} bytes`)
    this.#line.push(bytes)
  }

  /** @returns the data of an event that the line ends */
  #endLine(): string | undefined {
    const line = withoutMark(joined(this.#line), this.#isFirstLine)
    this.#line = []
    this.#lineBytes = 0
    this.#isFirstLine = false
    if (line.length === 0) return this.#endEvent()
    const colon = line.indexOf(COLON)
    const name = this.#textOf(colon < 0 ? line : line.subarray(0, colon))
    if (name !== 'data') return undefined
    const value = colon < 0 ? line.subarray(line.length) : line.subarray(colon + 1)
    this.#dataBytes += line.length
    this.#data.push(this.#textOf(value[0] === SPACE ? value.subarray(1) : value))
    return undefined
  }

  #endEvent(): string | undefined {
    const data = this.#data.length === 0 ? undefined : this.#data.join('\n')
    this.#data = []
    this.#dataBytes = 0
    return data
  }

  #textOf(bytes: Uint8Array): string {
    try {
      return this.#decoder.decode(bytes)
    } catch {
      throw new Fault('an event that is no UTF-8')
    }
  }
}

/** Where the first line feed or carriage return from there on is; the length where there is none. */
function endOfLine(bytes: Uint8Array, from: number): number {
  const feed = bytes.indexOf(LF, from)
  const most = feed < 0 ? bytes.length : feed
  const back = bytes.subarray(from, most).indexOf(CR)
  return back < 0 ? most : from + back
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  return parts.length === 1 ? parts[0]! : Buffer.concat(parts)
}

function withoutMark(line: Uint8Array, isFirst: boolean): Uint8Array {
  const hasMark = isFirst && line[0] === 0xef && line[1] === 0xbb && line[2] === 0xbf
  return hasMark ? line.subarray(3) : line
}
