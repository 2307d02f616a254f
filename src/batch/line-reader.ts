/** Lines of a stream of bytes. One line is held at a time, however long the stream is. */
import { isUtf8 } from 'node:buffer'
import { SpoutError } from '../errors.ts'

/** Longer lines are mistakes, or files of another kind; as for a prompt. */
export const MAX_LINE_BYTES = 8 << 20

export interface Line {
  /** In the whole input, from 1. */
  readonly number: number
  /** Without its end. Where `problem` is set, whatever could be read. */
  readonly text: string
  /** `''` at the end of an input that does not end with a line feed. */
  readonly ending: '\n' | '\r\n' | ''
  /** Bytes of the input up to and with this line. */
  readonly after: number
  /** A byte order mark stands before it. */
  readonly isMarked?: true
  readonly problem?: LineProblem
}

interface LineProblem {
  readonly code: 'invalid_utf8' | 'line_too_long'
  readonly message: string
}

const LF = 10
const CR = 13

/**
 * The lines in order, each as soon as its end has been read. A byte order mark before the first is dropped; a line that is too
 * long or not UTF-8 has a `problem`.
 * @throws SpoutError `data` for UTF-16.
 */
export async function* readLines(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Line, void, void> {
  const cutter = new LineCutter()
  for await (const chunk of chunks) yield* cutter.push(chunk)
  yield* cutter.end()
}

class LineCutter {
  /** The beginning of a line whose end has not come yet. */
  #held: Uint8Array[] = []
  #heldBytes = 0
  /** Bytes of the line that were dropped, for it is too long. */
  #dropped = 0
  #number = 0
  #after = 0

  #hold(bytes: Uint8Array): void {
    const room = MAX_LINE_BYTES + 1 - this.#heldBytes
    const kept = bytes.length <= room ? bytes : bytes.subarray(0, room)
    if (kept.length > 0) this.#held.push(kept)
    this.#heldBytes += kept.length
    this.#dropped += bytes.length - kept.length
  }

  *push(chunk: Uint8Array): Generator<Line, void, void> {
    let from = 0
    for (let end = chunk.indexOf(LF); end >= 0; end = chunk.indexOf(LF, from)) {
      this.#hold(chunk.subarray(from, end))
      yield this.#cut(true)
      from = end + 1
    }
    if (from < chunk.length) this.#hold(chunk.subarray(from))
  }

  *end(): Generator<Line, void, void> {
    if (this.#heldBytes + this.#dropped > 0) yield this.#cut(false)
  }

  #cut(hasEnd: boolean): Line {
    const whole = this.#held.length === 1 ? this.#held[0]! : Buffer.concat(this.#held)
    this.#after += whole.length + this.#dropped + (hasEnd ? 1 : 0)
    const isTooLong = this.#dropped > 0 || whole.length > MAX_LINE_BYTES
    this.#held = []
    this.#heldBytes = 0
    this.#dropped = 0
    const number = ++this.#number
    const bytes = number === 1 ? withoutMark(whole) : whole
    const endsWithCr = hasEnd && !isTooLong && bytes.at(-1) === CR
    const content = endsWithCr ? bytes.subarray(0, -1) : bytes
    const ending = hasEnd ? (endsWithCr ? '\r\n' : '\n') : ''
    const marked = bytes.length < whole.length ? ({ isMarked: true } as const) : {}
    const line = { number, ending, after: this.#after, ...marked } as const
    if (isTooLong) {
      const message = `the line is longer than ${MAX_LINE_BYTES >> 20} MiB`
      return { ...line, text: textOf(content.subarray(0, 100)), problem: { code: 'line_too_long', message } }
    }
    const text = textOf(content)
    if (isUtf8(content)) return { ...line, text }
    return { ...line, text, problem: { code: 'invalid_utf8', message: 'the line is not UTF-8' } }
  }
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8')
}

function withoutMark(bytes: Uint8Array): Uint8Array {
  const [a, b, c] = bytes
  if ((a === 0xff && b === 0xfe) || (a === 0xfe && b === 0xff)) {
    throw new SpoutError('data', 'input: it is UTF-16, not UTF-8', { hint: 'iconv -f UTF-16 -t UTF-8' })
  }
  return a === 0xef && b === 0xbb && c === 0xbf ? bytes.subarray(3) : bytes
}
