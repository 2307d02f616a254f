/** The log-probability of a chosen id, and of the most likely ones, before any filter. */
export interface TokenLogprobs {
  readonly logprob: number
  readonly top: readonly { readonly id: number; readonly logprob: number }[]
}

/** Chooses one id from a row of logits. Made once per request. */
export interface Sampler {
  /** The seed of this request's generator. */
  readonly seed: bigint
  /** Of the last call to `sample`, when the request asked for them. */
  readonly logprobs: TokenLogprobs | undefined
  /** Counts ids that were not sampled (the prompt) into the penalty window. */
  accept(ids: ArrayLike<number>): void
  /**
   * Chooses an id from `logits`, shape [vocabSize], which is overwritten. The id joins the penalty window.
   * @throws SpoutError `failed` when the logits hold NaN or +Infinity, or nothing but -Infinity.
   */
  sample(logits: Float32Array): number
}
