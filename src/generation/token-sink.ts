import type { TokenLogprobs } from '../sampling/token-logprobs.ts'

/** A promise means: wait before computing more, the reader is slow. */
export type SinkWait = Promise<void> | undefined | void

/** Where a generation goes. */
export interface TokenSink {
  /**
   * One generated id and the text that became certain with it, often but not always its own: '' while a character or
   * the beginning of a stop string is incomplete.
   */
  token(id: number, text: string, logprobs?: TokenLogprobs): SinkWait
  /** Text that was held back, at the end of the generation. Called only when there is some. */
  lastPiece(text: string): SinkWait
}
