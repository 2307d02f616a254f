/**
 * How many guesses are worth a place in a run, by what became of those before: more while all are chosen, as many as were chosen
 * where some were, and none for a while, longer each time, where most were not. It changes the time, never the text.
 */
export class DraftLength {
  #most = FIRST
  #pause = 0
  #wait = 0

  /** To be asked once for each step. */
  next(): number {
    if (this.#wait === 0) return this.#most
    this.#wait--
    return 0
  }

  judged(drafted: number, chosen: number): void {
    if (chosen === drafted) {
      this.#most = Math.min(MOST, 2 * this.#most)
      this.#pause = 0
      return
    }
    this.#most = Math.max(2, chosen + 1)
    this.#pause = 2 * chosen < drafted ? Math.min(LONGEST_PAUSE, 2 * this.#pause + 1) : 0
    this.#wait = this.#pause
  }
}

const FIRST = 8
const MOST = 32
const LONGEST_PAUSE = 31
