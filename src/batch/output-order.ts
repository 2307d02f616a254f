/** Outputs in the order of their records, whatever order they are finished in; or as they are finished. */

/** What one record became, as text. */
export interface Piece {
  /** Among the records of this shard, from 0. */
  readonly place: number
  /** Of the input up to and with this record. */
  readonly mark: string
  readonly text: string
  readonly failed: boolean
}

export interface PieceSink {
  /** The piece whose turn it is. A promise means: wait before computing more. */
  write(piece: Piece): Promise<void> | undefined
  /** A piece that is written later: whoever can keeps it safe until then. */
  keep?(piece: Piece): void
  /** Writes what it has of its own from this place on, and gives the next place it has nothing for. */
  advance?(place: number): number
}

export class OutputOrder {
  readonly #sink: PieceSink
  readonly #isOrdered: boolean
  readonly #waiting: Map<number, Piece>
  #next: number
  #chars = 0

  /** @param waiting pieces that are there already, from a run before */
  constructor(
    sink: PieceSink,
    { ordered, next, waiting }: { ordered: boolean; next: number; waiting: Iterable<Piece> },
  ) {
    this.#sink = sink
    this.#isOrdered = ordered
    this.#waiting = new Map(Array.from(waiting, (piece) => [piece.place, piece]))
    for (const { text } of this.#waiting.values()) this.#chars += text.length
    this.#next = next
  }

  /** The first place that is not written, in order. */
  get next(): number {
    return this.#next
  }

  /** Characters of pieces that wait for an earlier one. */
  get waitingChars(): number {
    return this.#chars
  }

  /** Resolves when there is room for more. */
  async take(piece: Piece): Promise<void> {
    if (!this.#isOrdered) return this.#sink.write(piece)
    if (piece.place !== this.#next) {
      this.#sink.keep?.(piece)
      this.#waiting.set(piece.place, piece)
      this.#chars += piece.text.length
      return
    }
    // Handed over in order at once; only the waiting comes later.
    const written = [this.#write(piece)]
    await this.#writeWaiting(written)
  }

  /** What is there already and whose turn it is. */
  async start(): Promise<void> {
    await this.#writeWaiting([])
  }

  async #writeWaiting(written: (Promise<void> | undefined)[]): Promise<void> {
    for (let piece = this.#pull(); piece !== undefined; piece = this.#pull()) written.push(this.#write(piece))
    await Promise.all(written)
  }

  #pull(): Piece | undefined {
    this.#next = this.#sink.advance?.(this.#next) ?? this.#next
    const piece = this.#waiting.get(this.#next)
    if (piece === undefined) return undefined
    this.#waiting.delete(this.#next)
    this.#chars -= piece.text.length
    return piece
  }

  #write(piece: Piece): Promise<void> | undefined {
    this.#next = piece.place + 1
    return this.#sink.write(piece)
  }
}
