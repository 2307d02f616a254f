/** A text that may be longer than the context, in pieces that are scored one after another. */

export interface ScoreWindow {
  /** Where its ids begin. */
  readonly start: number
  /** The first id that is scored: after `start`. */
  readonly first: number
  /** Behind the last id that is scored, and of the window. */
  readonly end: number
}

/**
 * Each id from `from` on is scored once. A window begins with the last id of the one before, which is all it knows of it: what
 * `lm-eval` calls rolling windows with one token of context. The last id of a window is scored and need not be run.
 * @param length of all ids
 * @param from the first that is scored, from 1 to `most`
 * @param most ids of a run: the context
 */
export function scoreWindows(length: number, from: number, most: number): ScoreWindow[] {
  const windows: ScoreWindow[] = []
  for (let first = from; first < length; ) {
    const start = windows.length === 0 ? 0 : first - 1
    const end = Math.min(length, start + most + 1)
    windows.push({ start, first, end })
    first = end
  }
  return windows
}
