/** What is heard of an answer, on its way to the sink of whoever asked: as it comes, or whole. */
import type { AnswerSink } from '../engine/engine.ts'
import { type NamedLogprobs, NO_ID } from '../engine/token-names.ts'
import type { SinkWait } from '../generation/token-sink.ts'
import type { Hearing } from './asking.ts'

interface Piece {
  readonly text: string
  readonly logprobs: readonly NamedLogprobs[]
  readonly isReasoning: boolean
}

export class SinkHearing implements Hearing {
  readonly #sink: AnswerSink
  readonly #whole: boolean
  #held: Piece[] = []
  isHandedOn = false
  /** Of `performance.now()`: the first piece, and the first text, of the try that counts. */
  firstAt: number | undefined
  firstTextAt: number | undefined
  hasText = false
  hasReasoning = false
  hasLogprobs = false

  /** @param whole nothing is handed on before `finish` */
  constructor(sink: AnswerSink, whole: boolean) {
    this.#sink = sink
    this.#whole = whole
  }

  piece(text: string, logprobs: readonly NamedLogprobs[]): SinkWait {
    this.hasText ||= text !== ''
    this.hasLogprobs ||= logprobs.length > 0
    this.firstTextAt ??= performance.now()
    return this.#hear({ text, logprobs, isReasoning: false })
  }

  reasoning(text: string): SinkWait {
    this.hasReasoning = true
    return this.#hear({ text, logprobs: [], isReasoning: true })
  }

  restart(): void {
    this.#held = []
    this.firstAt = undefined
    this.firstTextAt = undefined
    this.hasText = false
    this.hasReasoning = false
    this.hasLogprobs = false
  }

  /** The answer is whole. */
  async finish(): Promise<void> {
    for (const piece of this.#held) await this.#handOn(piece)
    this.#held = []
  }

  #hear(piece: Piece): SinkWait {
    this.firstAt ??= performance.now()
    if (!this.#whole) return this.#handOn(piece)
    this.#held.push(piece)
    return undefined
  }

  #handOn({ text, logprobs, isReasoning }: Piece): SinkWait {
    this.isHandedOn = true
    if (isReasoning) return this.#sink.reasoning?.(text)
    if (logprobs.length <= 1) return this.#sink.token(NO_ID, text, logprobs[0])
    return this.#handOnTokens(text, logprobs)
  }

  /** A piece of several tokens: the first bears the text. */
  async #handOnTokens(text: string, logprobs: readonly NamedLogprobs[]): Promise<void> {
    for (const [i, each] of logprobs.entries()) await this.#sink.token(NO_ID, i === 0 ? text : '', each)
  }
}
