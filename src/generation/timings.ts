/** When things happened, in milliseconds of `performance.now()`: since the process started. */
export interface Timings {
  /** The prompt's ids were handed over. */
  readonly startedAt: number
  /** The logits of the prompt's last id were there. */
  readonly prefilledAt: number
  /** The last id was chosen. */
  readonly endedAt: number
  /** The first piece was handed to the sink; `undefined` when there was none. */
  readonly firstTextAt: number | undefined
}
