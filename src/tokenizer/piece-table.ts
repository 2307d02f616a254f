import type { TokenDecoder } from './decoder.ts'
import type { PieceTable } from './tokenizer.ts'

/** The pieces of a vocabulary, each worked out when it is first asked for: a text uses few of 150,000 tokens. */
export function createPieceTable(tokens: readonly (string | undefined)[], decoder: TokenDecoder): PieceTable {
  const known: (string | Uint8Array | undefined)[] = new Array(tokens.length).fill(undefined)
  const work = (id: number, first: boolean) => {
    const token = tokens[id]
    return token === undefined ? undefined : decoder.piece(token, first)
  }
  return {
    leadingSpaces: decoder.leadingSpaces,
    malformed: decoder.malformed,
    first: (id) => work(id, true),
    piece(id) {
      const piece = known[id]
      if (piece !== undefined) return piece
      const made = work(id, false)
      if (made !== undefined) known[id] = made
      return made
    },
  }
}
