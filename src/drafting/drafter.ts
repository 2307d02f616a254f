/** Guesses what comes next. A wrong guess costs time, never text: every id is chosen by the sampler as always. */
export interface Drafter {
  /** An id of the text, in order: the prompt's, then each that was chosen. */
  accept(id: number): void
  /** Finds guesses that take a run of another model, at most so many, for `propose`. `undefined`: there is nothing to wait for. */
  prepare?(most: number): Promise<void> | undefined
  /** Writes at most `most` ids into `into`, from its start on. @returns how many */
  propose(into: Int32Array, most: number): number
}
