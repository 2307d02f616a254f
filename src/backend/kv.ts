/** What the model remembers of the tokens seen so far. */
export interface KvCache {
  /** Tokens held. */
  readonly length: number
  /**
   * False when the model's states cannot go back (windows, recurrences). `trim` works all the same, but the next
   * `forward` first runs the tokens that stay once more: all, or those after the last `mark`.
   */
  readonly canTrim: boolean
  /** Forgets everything after the first `length` tokens. */
  trim(length: number): void
  /** Keeps the states as they are now, so that a later `trim` to here or beyond is cheap. Free where `canTrim`. */
  mark(): void
  dispose(): void
}

/** Tokens of a page of keys and values. */
export const PAGE = 128

/**
 * Keys and values of `PAGE` tokens of one text, in all layers. Counted: it is freed when the last of its holders lets go, and
 * a page that is full is never written again.
 */
export interface Page {
  /** As in memory, and in a file: valid while the page is held. Rotary positions are applied to the keys, so they are usable at the same place of a text only. */
  readonly bytes: readonly Uint8Array[]
  /** One more holder. */
  retain(): void
  /** One holder less. */
  release(): void
}

/** The cache of one text, which knows the ids of what it holds: the key of all sharing. */
export interface KvSequence extends KvCache {
  /** The first `length` ids of the text: a view, valid until the text changes. */
  readonly ids: Int32Array
  /**
   * The full pages of what is computed, first to last; none where the pool is not paged. Borrowed: `retain` what is to
   * outlast the next change of the text.
   */
  readonly pages: readonly Page[]
  /** Another text that begins alike: of a paged pool it shares the pages, without a copy. */
  fork(): KvSequence
}

/** Where the sequences of one runner come from, and the memory of their keys and values. */
export interface KvPool {
  /** False: states cannot be shared, so that a fork, and a text of known ids, runs these again with its first own ids. */
  readonly isPaged: boolean
  /** Of one page; 0 where the pool is not paged. */
  readonly pageBytes: number
  /** How many more pages may be in use at once; `Infinity` without a limit. */
  readonly freePages: number
  /** Lets no more than so many pages be in use from now on; pages in use stay. A run that needs more is refused. */
  limitTo(pages: number): void
  open(start?: SequenceStart): KvSequence
  /** A page that `fill` writes, of a file for one, then as any: with one holder, the caller. @throws where the pool is not paged. */
  load(fill: (bytes: readonly Uint8Array[]) => void): Page
}

export interface SequenceStart {
  /** What the text begins with. What of it no page holds is run with the first ids that are appended. */
  readonly ids?: Int32Array
  /** Full pages of the first `pages.length × PAGE` of `ids`, in their order; the text becomes one more holder of each. */
  readonly pages?: readonly Page[]
  /** Tokens to come, as far as known: with them it need not grow on the way. */
  readonly expected?: number
}
