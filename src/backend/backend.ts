import type { Tokenizer } from '../tokenizer/tokenizer.ts'
import type { KvCache, KvPool } from './kv.ts'

export type { KvCache } from './kv.ts'

/** One loaded model. Appends ids to sequences and gives logits; knows no text, no sampling, no request. */
export interface Runner {
  readonly facts: ModelFacts
  readonly numerics: Numerics
  readonly pool: KvPool
  /**
   * Appends each part's ids to its sequence; the parts name different sequences, all of this runner's pool. All parts or
   * none: when it rejects, every sequence is as it was. One run at a time.
   * @throws the signal's reason when it aborts; SpoutError `data` beyond the context; `os` when the pool has not
   * enough pages left; `usage` while another runs, and after `dispose`
   */
  run(batch: readonly Part[], signal?: AbortSignal): Promise<Rows>
  /** Resolves when nothing runs any more. */
  dispose(): Promise<void>
}

/** What a run does for one sequence: prefill, decode and verification alike. */
export interface Part {
  readonly sequence: KvCache
  readonly ids: Int32Array
  /** Of how many of its last ids the logits are wanted: 0 within a prompt, 1 to decode, drafts + 1 to verify. */
  readonly wanted: number
}

/** The logits that were wanted, in the order of the parts and then of the ids. Valid until the next run. */
export interface Rows {
  readonly count: number
  /** Shape [vocabSize]: a view that may be overwritten. */
  row(i: number): Float32Array
}

export interface ModelFacts {
  /** Width of a row of logits; may exceed the tokenizer's. */
  readonly vocabSize: number
  /** Most ids of a sequence. */
  readonly contextLength: number
  /** EOS and every end id of generation_config.json. */
  readonly stopTokenIds: ReadonlySet<number>
}

/** What may be given to one run, and what the bits of its logits depend on. */
export interface Numerics {
  /** False: on how the ids were cut into runs, as with dynamic int8. */
  readonly exactSplits: boolean
  /** False: on the rows beside them. Proved, never assumed. */
  readonly exactRows: boolean
  /** More parts are allowed, and run one after another. `Infinity`: as many as there are, in one run. */
  readonly mostParts: number
  /**
   * Ids of a run, of all its parts together: more are allowed, but between runs an interrupt is heard. `Infinity`: a prompt
   * should go in whole.
   */
  readonly mostRows: number
  /** Rows of logits are memory: rows × vocabulary × 4 bytes. */
  readonly mostWanted: number
  /** Of what keys and values depend on: the model's files, what was changed of them, the kernels. Not of the processor. */
  readonly fingerprint: string
}

/** What a model must do for the token loop. One per process; holds the session. */
export interface Backend {
  /** What `forward` is made of. Absent where there is nothing but a `forward`, as of a double. */
  readonly runner?: Runner
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

/** The scores of the next token, shape [vocabSize]: a view the sampler may overwrite. */
export interface Logits {
  readonly row: Float32Array
}
