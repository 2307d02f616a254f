import type { Tokenizer } from '../tokenizer/tokenizer.ts'

/** What a model must do for the token loop. One per process; holds the session. */
export interface Backend {
  /** Borrowed: never disposed here. */
  readonly tokenizer: Tokenizer
  /** Looked up once, when the backend is made. */
  readonly eosTokenId: number | undefined
  /** EOS and every end id of generation_config.json. */
  readonly stopTokenIds: ReadonlySet<number>
  /** Width of a row of logits; may exceed the tokenizer's. */
  readonly vocabSize: number
  /** Most tokens the KV cache may hold. */
  readonly contextLength: number
  /**
   * Most ids to give to one `forward` of a prompt: between chunks an interrupt is heard. `Infinity` for a model whose
   * prompt should go in whole. A `forward` of more, or of fewer, is right as well.
   */
  readonly prefillChunk: number
  /**
   * False when the logits depend on how the ids were split over forwards, as with dynamic int8: reusing a prefix or
   * checking several draft ids at once then changes what comes out.
   */
  readonly exactSplits: boolean
  /**
   * True when what ids leave in the cache depends on whether they were decoded, one at a time, or ran as part of a
   * prompt (see pieces.ts), and a prompt may follow what the cache holds: decoded ids that are run again as a prompt
   * then leave what they would have left in a run over the whole text.
   */
  readonly settles: boolean
  /** An empty cache. It grows as needed; with the number of tokens to come it need not grow on the way. */
  createCache(expectedTokens?: number): KvCache
  /**
   * Runs `ids` after what `cache` holds and appends them to it: prefill, decode and verification alike.
   * The logits are of the last id and stay valid until the next call. When it fails, `cache` is as it was.
   * One at a time. @throws SpoutError `usage` while another runs, and after `dispose`.
   */
  forward(ids: Int32Array, cache: KvCache, signal?: AbortSignal): Promise<Logits>
  /** Resolves when nothing runs any more: a forward that is under way ends, or fails. */
  dispose(): Promise<void>
}

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

/** The scores of the next token, shape [vocabSize]: a view the sampler may overwrite. */
export interface Logits {
  readonly row: Float32Array
}
