/**
 * An answer that a worker began and could not end. It is written once more from its beginning, with the same coin, and what has been
 * handed on before is left out; so the bytes are those of an answer that nothing befell.
 */
import type { AnswerSink, RequestFacts, RequestIo } from '../engine/engine.ts'
import { SpoutError } from '../errors.ts'
import type { SinkWait } from '../generation/token-sink.ts'

/** What was handed on: an id with its text, a last piece, or reasoning. */
interface Handed {
  readonly kind: 'token' | 'last' | 'reasoning'
  readonly id: number
  readonly text: string
}

export class Replay {
  readonly #io: RequestIo
  readonly #handed: Handed[] = []
  #at = 0
  facts: RequestFacts | undefined

  constructor(io: RequestIo) {
    this.#io = io
  }

  started(facts: RequestFacts): void {
    this.facts = facts
    this.#io.onStart?.(facts)
  }

  prefilled(done: number, total: number): void {
    this.#io.onPrefill?.(done, total)
  }

  token(...[id, text, logprobs]: Parameters<AnswerSink['token']>): SinkWait {
    this.#handed.push({ kind: 'token', id, text })
    return this.#io.sink.token(id, text, logprobs)
  }

  piece(kind: 'last' | 'reasoning', text: string): SinkWait {
    this.#handed.push({ kind, id: -1, text })
    return kind === 'last' ? this.#io.sink.lastPiece(text) : this.#io.sink.reasoning?.(text)
  }

  /** For the answer once more. */
  io(): RequestIo {
    const { sink, ...io } = this.#io
    this.#at = 0
    const hasBegun = this.#handed.length > 0
    return {
      ...io,
      sink: {
        token: (id, text, logprobs) =>
          this.#isKnown({ kind: 'token', id, text }) ? undefined : sink.token(id, text, logprobs),
        lastPiece: (text) =>
          this.#isKnown({ kind: 'last', id: -1, text }) ? undefined : sink.lastPiece(text),
        ...(sink.reasoning && {
          reasoning: (text: string) =>
            this.#isKnown({ kind: 'reasoning', id: -1, text }) ? undefined : sink.reasoning!(text),
        }),
      },
      onStart: this.facts === undefined ? io.onStart : undefined,
      onPrefill: hasBegun ? undefined : io.onPrefill,
    }
  }

  /** Whether it was handed on before. @throws SpoutError where what comes now is something else */
  #isKnown({ kind, id, text }: Handed): boolean {
    const before = this.#handed[this.#at]
    if (before === undefined) return false
    this.#at++
    if (before.kind === kind && before.id === id && before.text === text) return true
    throw new SpoutError(
      'failed',
      'worker: it ended in the middle, and the rest of its answer is not known',
      {
        hint: 'run it again',
      },
    )
  }
}
