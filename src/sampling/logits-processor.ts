/**
 * Changes a row of logits in place before anything is chosen. Penalties, bans and biases are such processors,
 * and so is whatever a request adds of its own (a grammar's mask), which runs after them.
 */
export interface LogitsProcessor {
  /** @param logits shape [vocabSize]. An id set to -Infinity is not chosen. */
  process(logits: Float32Array): void
  /** Learns the next id of the context; `sampled` is false for the prompt's. */
  accept?(id: number, sampled: boolean): void
}
