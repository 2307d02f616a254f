/**
 * Times of one request, read where the token loop calls out: when an id was chosen and when its text was written. The
 * loop itself is the product's and knows nothing of it. What is written down has its place before the request begins.
 */
import type { TokenSink } from '../generation/token-sink.ts'
import type { Sampler } from '../sampling/sampler.ts'

export class Stopwatch {
  samplingMs = 0
  textMs = 0
  /** When the first text came to be written, in milliseconds of `performance.now()`. */
  firstTextAt: number | undefined
  readonly #chosenAt: Float64Array
  #count = 0

  constructor(tokens: number) {
    this.#chosenAt = new Float64Array(tokens)
  }

  sampler(inner: Sampler): Sampler {
    return {
      seed: inner.seed,
      logprobs: undefined,
      accept: (ids) => inner.accept(ids),
      sample: (logits) => {
        const from = performance.now()
        const id = inner.sample(logits)
        const now = performance.now()
        this.samplingMs += now - from
        this.#chosenAt[this.#count++] = now
        return id
      },
    }
  }

  /** The time of text runs from the choice of an id until its piece is written. */
  sink(inner: TokenSink): TokenSink {
    return {
      token: (id, text, logprobs) => {
        const full = inner.token(id, text, logprobs)
        this.textMs += performance.now() - this.#chosenAt[this.#count - 1]!
        return full
      },
      lastPiece: (text) => inner.lastPiece(text),
    }
  }

  /** Put around what writes, so that it sees the text whoever made it. */
  output(inner: TokenSink): TokenSink {
    return {
      token: (id, text, logprobs) => {
        const full = inner.token(id, text, logprobs)
        if (text !== '') this.firstTextAt ??= performance.now()
        return full
      },
      lastPiece: (text) => {
        const full = inner.lastPiece(text)
        this.firstTextAt ??= performance.now()
        return full
      },
    }
  }

  /** Milliseconds from each choice to the next. */
  steps(): Float64Array {
    const steps = new Float64Array(Math.max(0, this.#count - 1))
    for (let i = 0; i < steps.length; i++) steps[i] = this.#chosenAt[i + 1]! - this.#chosenAt[i]!
    return steps
  }
}
