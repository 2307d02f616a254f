/** A vocabulary as the grammar sees it: what bytes each id stands for, and which ids end a text. */
import { SpoutError } from '../../errors.ts'
import type { Tokenizer } from '../../tokenizer/tokenizer.ts'

export interface TokenBytes {
  /** One more than the highest id. */
  readonly size: number
  /** Legal exactly where a text is complete. */
  readonly endIds: readonly number[]
  /** The decoder takes a space off the beginning of a text. */
  readonly dropsFirstSpace: boolean
  /** `undefined` for ids that are never text: special ones, unknown ones, those without bytes. */
  bytes(id: number): Uint8Array | undefined
  /** The ids that stand for a text in the middle of another; for guesses only. */
  encode?(text: string): ArrayLike<number>
}

/** @throws SpoutError `config` where the bytes of a token depend on its neighbours. */
export function tokenBytesOf(tokenizer: Tokenizer, endIds: readonly number[]): TokenBytes {
  const { pieces } = tokenizer
  if (pieces === undefined)
    throw new SpoutError('config', 'structure: the tokens of this model have no bytes of their own', {
      hint: 'use a model with a byte-level or SentencePiece tokenizer',
    })
  const utf8 = new TextEncoder()
  const ends = new Set(endIds)
  return {
    size: tokenizer.vocabSize,
    endIds,
    dropsFirstSpace: dropsFirstSpace(tokenizer),
    bytes(id) {
      if (ends.has(id) || tokenizer.isSpecial(id)) return undefined
      const piece = pieces.piece(id)
      const bytes = typeof piece === 'string' ? utf8.encode(piece) : piece
      return bytes === undefined || bytes.length === 0 ? undefined : bytes
    },
    encode: (text) => tokenizer.encode(text, { addSpecialTokens: false }),
  }
}

function dropsFirstSpace({ pieces, tokenToId }: Tokenizer): boolean {
  if (pieces!.leadingSpaces > 0) return true
  const id = tokenToId('▁a') ?? tokenToId('▁the') ?? tokenToId('▁')
  return id !== undefined && pieces!.first(id) !== pieces!.piece(id)
}
