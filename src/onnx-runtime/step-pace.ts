/**
 * Where a run is computed. A hop to another thread costs about 0.1 ms, so a step of one token is run in place while such
 * steps are short; but then the event loop stands still, and signals, timers and the spinner want their turn.
 */

/** A step that took less is followed by one in place. */
const IN_PLACE_MS = 40
/** How long runs in place may follow each other before the event loop gets its turn. */
const LOOP_PAUSE_MS = 10

export class StepPace {
  #lastStepMs = Number.POSITIVE_INFINITY
  /** When the event loop had its last turn. */
  #lastTurn = 0

  /** Whether the run that comes is computed in place. @param isStep of one token */
  isInPlace(isStep: boolean): boolean {
    return isStep && this.#lastStepMs < IN_PLACE_MS
  }

  /** Notes a run. @returns true when the event loop should have a turn, and `turned` be called after it */
  ran(started: number, ended: number, run: { readonly isStep: boolean; readonly inPlace: boolean }): boolean {
    if (run.isStep) this.#lastStepMs = ended - started
    if (run.inPlace) return ended - this.#lastTurn > LOOP_PAUSE_MS
    this.#lastTurn = ended
    return false
  }

  turned(now: number): void {
    this.#lastTurn = now
  }
}
