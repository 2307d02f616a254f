import type { TokenLogprobs } from '../sampling/token-logprobs.ts'

/** Where a generation goes. A promise means: wait before computing more (the reader is slow). */
export interface TokenSink {
  /**
   * One generated id and the text that became certain with it, often but not always its own: '' while a character or
   * the beginning of a stop string is incomplete.
   */
  token(id: number, text: string, logprobs?: TokenLogprobs): Promise<void> | undefined
  /** Text that was held back, at the end of the generation. Called only when there is some. */
  lastPiece(text: string): Promise<void> | undefined
}
