import type { PieceTable, Tokenizer } from '../tokenizer/tokenizer.ts'
import { ByteRun } from './byte-run.ts'

export interface TokenOutputStreamOptions {
  /** The ids continue a raw prompt: a leading space is kept. Default false: they are a text of their own. */
  readonly continuation?: boolean
  /** Default true. */
  readonly skipSpecialTokens?: boolean
  /** Special tokens that are text all the same: the markers of a reasoning block may be special. */
  readonly keep?: ReadonlySet<number>
}

/**
 * Ids in, text out, one id at a time: each id is looked at once. The pieces of a stream, with what `flush` gives, are the
 * decoded text of all its ids, and none ends inside a character. Borrows the tokenizer.
 */
export class TokenOutputStream {
  readonly #tokenizer: Tokenizer
  readonly #joiner: Joiner
  readonly #skip: boolean
  readonly #keep: ReadonlySet<number> | undefined

  constructor(tokenizer: Tokenizer, options: TokenOutputStreamOptions = {}) {
    this.#tokenizer = tokenizer
    this.#skip = options.skipSpecialTokens ?? true
    this.#keep = options.keep
    this.#joiner = tokenizer.pieces ? new PieceJoiner(tokenizer.pieces, options) : new WindowJoiner(tokenizer)
  }

  /** The text that `id` completes, possibly empty. */
  push(id: number): string {
    if (this.#skip && this.#tokenizer.isSpecial(id) && !this.#keep?.has(id)) return ''
    return this.#joiner.push(id)
  }

  /** What is still held back. The stream is then as new. */
  flush(): string {
    const rest = this.#joiner.flush()
    this.#joiner.reset()
    return rest
  }

  /** Forgets everything: the next id opens a text. */
  reset(): void {
    this.#joiner.reset()
  }
}

interface Joiner {
  push(id: number): string
  flush(): string
  reset(): void
}

/** Joins the pieces of a table: strings go straight through, bytes wait until they are characters. */
class PieceJoiner implements Joiner {
  readonly #pieces: PieceTable
  readonly #continuation: boolean
  readonly #run: ByteRun
  #opening = false
  #spaces = 0

  constructor(pieces: PieceTable, { continuation = false }: TokenOutputStreamOptions) {
    this.#pieces = pieces
    this.#continuation = continuation
    this.#run = new ByteRun(pieces.malformed)
    this.reset()
  }

  push(id: number): string {
    const piece = this.#opening ? this.#pieces.first(id) : this.#pieces.piece(id)
    if (piece === undefined) return ''
    this.#opening = false
    const text = this.#join(piece)
    return this.#spaces === 0 || text === '' ? text : this.#strip(text)
  }

  #join(piece: string | Uint8Array): string {
    if (typeof piece !== 'string') return this.#run.push(piece)
    if (this.#run.isEmpty) return piece
    return piece === '' && this.#pieces.malformed === 'lossy' ? '' : this.#run.end() + piece
  }

  flush(): string {
    const text = this.#run.end()
    return this.#spaces === 0 ? text : this.#strip(text)
  }

  reset(): void {
    this.#run.end()
    this.#opening = !this.#continuation
    this.#spaces = this.#continuation ? 0 : this.#pieces.leadingSpaces
  }

  #strip(text: string): string {
    let from = 0
    while (from < this.#spaces && text[from] === ' ') from++
    this.#spaces = from === text.length ? this.#spaces - from : 0
    return text.slice(from)
  }
}

/** Ids decoded together where a piece depends on its neighbours. */
const WINDOW = 32

/** Decodes a window of the last ids, and gives what is new in it. */
class WindowJoiner implements Joiner {
  readonly #tokenizer: Tokenizer
  #ids: number[] = []
  #written = ''

  constructor(tokenizer: Tokenizer) {
    this.#tokenizer = tokenizer
  }

  push(id: number): string {
    this.#ids.push(id)
    const text = this.#decode()
    if (text.endsWith('\uFFFD') || !text.startsWith(this.#written)) return ''
    return this.#write(text)
  }

  flush(): string {
    return this.#ids.length === 0 ? '' : this.#decode().slice(this.#written.length)
  }

  reset(): void {
    this.#ids = []
    this.#written = ''
  }

  #write(text: string): string {
    const news = text.slice(this.#written.length)
    this.#written = text
    if (this.#ids.length > WINDOW) {
      this.#ids = this.#ids.slice(-WINDOW / 2)
      this.#written = this.#decode()
    }
    return news
  }

  #decode(): string {
    return this.#tokenizer.decode(this.#ids, { skipSpecialTokens: false })
  }
}
