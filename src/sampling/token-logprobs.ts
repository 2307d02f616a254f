/** The log-probability of a chosen id, and of the most likely ones, before any filter. */
export interface TokenLogprobs {
  readonly logprob: number
  readonly top: readonly { readonly id: number; readonly logprob: number }[]
}
