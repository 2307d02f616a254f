/** Messages between processes: each a JSON document on a line of its own. Numbers that JSON has no word for survive. */

/** A longer line is nobody's of ours. */
class LineTooLong extends Error {
  override readonly name = 'LineTooLong'
}

const NEWLINE = 10

/** Bytes that come in any pieces, as lines. */
export class LineReader {
  readonly #most: number
  #pieces: Buffer[] = []
  #length = 0

  /** @param most bytes of a line */
  constructor(most: number) {
    this.#most = most
  }

  /** The lines that are whole now. @throws LineTooLong */
  push(chunk: Buffer): string[] {
    const lines: string[] = []
    let from = 0
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, from)) {
      lines.push(this.#whole(chunk.subarray(from, end)))
      from = end + 1
    }
    this.#keep(chunk.subarray(from))
    return lines
  }

  #whole(end: Buffer): string {
    this.#keep(end)
    const line = this.#pieces.length === 1 ? this.#pieces[0]! : Buffer.concat(this.#pieces)
    this.#pieces = []
    this.#length = 0
    return line.toString()
  }

  #keep(piece: Buffer): void {
    this.#length += piece.length
    if (this.#length > this.#most) throw new LineTooLong(`a line of more than ${this.#most} bytes`)
    this.#pieces.push(piece)
  }
}

/** What stands for a number that JSON has no word for. */
const NUMBER = '$number'

/** A message as a line. */
export function lineOf(message: object): string {
  return `${JSON.stringify(message, spelled)}\n`
}

/** A line as a message. @throws SyntaxError for what is no JSON */
export function messageOf(line: string): unknown {
  return line.includes(`"${NUMBER}"`) ? JSON.parse(line, restored) : JSON.parse(line)
}

function spelled(_: string, value: unknown): unknown {
  return typeof value === 'number' && !Number.isFinite(value) ? { [NUMBER]: String(value) } : value
}

function restored(_: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  const number = (value as Record<string, unknown>)[NUMBER]
  return typeof number === 'string' && Object.keys(value).length === 1 ? Number(number) : value
}
