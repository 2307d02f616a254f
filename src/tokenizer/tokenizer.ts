/** Text to ids and back. Built once, borrowed by everyone, disposed by nobody: it owns no handle. */
export interface Tokenizer {
  /** One more than the highest id, added tokens included. */
  readonly vocabSize: number
  encode(text: string, options?: EncodeOptions): Int32Array
  decode(ids: ArrayLike<number>, options?: DecodeOptions): string
  tokenToId(token: string): number | undefined
  /** The token of an id as it stands in the vocabulary (not decoded), for messages and traces. */
  idToToken(id: number): string | undefined
  /** True of ids that `decode` leaves out when `skipSpecialTokens` is on. */
  isSpecial(id: number): boolean
}

export interface EncodeOptions {
  /** Adds what the post-processor adds (BOS, EOS). Default true. */
  readonly addSpecialTokens?: boolean
  /** Lets the text of a special token in `text` become that token. Default false: it stays text. */
  readonly allowSpecial?: boolean
}

export interface DecodeOptions {
  /** Default true. */
  readonly skipSpecialTokens?: boolean
}
