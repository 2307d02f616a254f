/** How far a file is. */
export interface Progress {
  readonly file: string
  /** Bytes here; may fall when a download starts anew. */
  readonly received: number
  readonly total: number
  readonly done: boolean
}

/** Told what was decided (`info`) and what should be looked at (`warning`). */
export type Note = (text: string, level: 'info' | 'warning') => void
