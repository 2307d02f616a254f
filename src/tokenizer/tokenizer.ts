/** Text to ids and back. Built once, borrowed by everyone, disposed by nobody: it owns no handle. */
export interface Tokenizer {
  /** One more than the highest id, added tokens included. */
  readonly vocabSize: number
  /** What each id adds to a text; `undefined` where that depends on the ids around it. */
  readonly pieces: PieceTable | undefined
  /** The text of each special token, for whoever must recognise one inside a user's text. */
  readonly specialTokens: readonly string[]
  /** @throws SpoutError `data` when the text holds a lone surrogate, `config` when a pattern never ends. */
  encode(text: string, options?: EncodeOptions): Int32Array
  /** The whole text of `ids`. Unknown ids add nothing. */
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
  /** With `allowSpecial`: offsets into `text`, ascending, that no special token may span. */
  readonly cuts?: readonly number[]
}

export interface DecodeOptions {
  /** Default true. */
  readonly skipSpecialTokens?: boolean
}

/**
 * What an id adds to a text, for decoders that treat every token by itself. A piece is a string when it is whole
 * characters, and bytes when it may be a part of one: bytes of neighbouring ids are joined before they are read.
 */
export interface PieceTable {
  /** The piece of an id; `undefined` for an unknown one. */
  piece(id: number): string | Uint8Array | undefined
  /** The piece of an id that opens the text: Metaspace and WordPiece decoders write no space there. */
  first(id: number): string | Uint8Array | undefined
  /** Spaces that the decoder takes off the beginning of the text, at most. */
  readonly leadingSpaces: number
  /**
   * How joined bytes that are not UTF-8 are shown. `lossy`: one U+FFFD per malformed sequence, as WHATWG decoders do.
   * `whole`: one U+FFFD per byte of the whole run of bytes, as the byte-fallback decoder does.
   */
  readonly malformed: 'lossy' | 'whole'
}
