import type { PieceTable, Tokenizer } from '../../src/tokenizer/tokenizer.ts'

/** The one special token, after the 256 bytes. */
export const BYTE_EOS = 256

const pieces: PieceTable = {
  leadingSpaces: 0,
  malformed: 'lossy',
  piece: (id) =>
    id < 128 ? String.fromCharCode(id) : id < 256 ? Uint8Array.of(id) : id === BYTE_EOS ? '<eos>' : undefined,
  first: (id) => pieces.piece(id),
}

/** Ids 0 to 255 are the bytes of UTF-8, 256 is `<eos>`: a whole tokenizer without a file. */
export const byteTokenizer: Tokenizer = {
  vocabSize: 257,
  pieces,
  specialTokens: ['<eos>'],
  encode: (text) => Int32Array.from(new TextEncoder().encode(text)),
  decode(ids, { skipSpecialTokens = true } = {}) {
    const bytes = Array.from(ids).flatMap((id) =>
      id < 256 ? [id] : skipSpecialTokens ? [] : [...new TextEncoder().encode('<eos>')],
    )
    return new TextDecoder('utf-8', { ignoreBOM: true }).decode(Uint8Array.from(bytes))
  },
  tokenToId: (token) => (token === '<eos>' ? BYTE_EOS : undefined),
  idToToken: (id) => (id === BYTE_EOS ? '<eos>' : id < 256 ? `<0x${id.toString(16)}>` : undefined),
  isSpecial: (id) => id === BYTE_EOS,
}
