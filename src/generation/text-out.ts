/** Ids become text here and nowhere else: pieces, cut at a stop string, on their way to the sink. */
import type { TokenLogprobs } from '../sampling/token-logprobs.ts'
import { StopStrings } from './stop-strings.ts'
import type { TokenOutputStream } from './token-output-stream.ts'
import type { TokenSink } from './token-sink.ts'

interface TextStops {
  readonly stopStrings?: readonly string[] | undefined
  /** True once the sink wants no more: it may look for stop texts itself, in a part of the text. */
  readonly stopped?: (() => boolean) | undefined
}

export class TextOut {
  /** When the first piece was handed to the sink. */
  firstAt: number | undefined
  readonly #stream: TokenOutputStream
  readonly #stops: StopStrings
  readonly #sink: TokenSink
  readonly #stopped: TextStops['stopped']

  constructor(stream: TokenOutputStream, sink: TokenSink, { stopStrings = [], stopped }: TextStops = {}) {
    this.#stopped = stopped
    this.#stream = stream
    this.#sink = sink
    this.#stops = new StopStrings(stopStrings)
  }

  /** A stop string was found, here or by the sink; what follows it is dropped. */
  get isStopped(): boolean {
    return this.#stops.matched !== undefined || this.#stopped?.() === true
  }

  /** The text that an id makes certain. */
  pieceOf(id: number): string {
    return this.#stops.push(this.#stream.push(id))
  }

  /** Hands an id and its piece over. A promise: the reader is slow. */
  write(id: number, piece: string, logprobs: TokenLogprobs | undefined): Promise<void> | undefined {
    const full = this.#sink.token(id, piece, logprobs)
    if (piece !== '') this.firstAt ??= performance.now()
    return full as Promise<void> | undefined
  }

  /** Hands over what was held back. */
  async flush(): Promise<void> {
    const text = this.#stops.push(this.#stream.flush()) + this.#stops.flush()
    if (text === '') return
    await this.#sink.lastPiece(text)
    this.firstAt ??= performance.now()
  }
}
