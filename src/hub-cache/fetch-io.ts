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

/** How the finding and fetching of files is connected to the outside. */
export interface FetchIo {
  readonly signal?: AbortSignal | undefined
  readonly note?: Note | undefined
  /** Told how far downloads are. */
  readonly onProgress?: ((progress: Progress) => void) | undefined
  /** Waited for before anything is asked of the network. When it rejects, so does whoever waits. */
  readonly beforeFetch?: (() => Promise<void>) | undefined
}
