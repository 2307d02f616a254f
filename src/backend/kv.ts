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

/** The cache of one text, which knows the ids of what it holds: the key of all sharing. */
export interface KvSequence extends KvCache {
  /** The first `length` ids of the text: a view, valid until the text changes. */
  readonly ids: Int32Array
  /** Another text that begins alike. */
  fork(): KvSequence
}

/** Where the sequences of one runner come from. */
export interface KvPool {
  /** False: states cannot be shared, so that a fork, and a text of known ids, runs these again with its first own ids. */
  readonly isPaged: boolean
  open(start?: SequenceStart): KvSequence
}

export interface SequenceStart {
  /** What the text begins with. */
  readonly ids?: Int32Array
  /** Tokens to come, as far as known: with them it need not grow on the way. */
  readonly expected?: number
}
