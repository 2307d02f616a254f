import type { TokenDecoder } from './decoder.ts'
import type { PieceTable } from './tokenizer.ts'

type Piece = string | Uint8Array | undefined

/** Pieces are kept by pages of so many ids. */
const PAGE = 256

/** The pieces of a vocabulary, each worked out when it is first asked for: a text uses few of 150,000 tokens. */
export function createPieceTable(
  tokenOf: (id: number) => string | undefined,
  decoder: TokenDecoder,
): PieceTable {
  const pages: Piece[][] = []
  const work = (id: number, first: boolean): Piece => {
    const token = tokenOf(id)
    return token === undefined ? undefined : decoder.piece(token, first)
  }
  const make = (id: number): Piece => {
    const made = work(id, false)
    if (made === undefined) return undefined
    const page = Math.floor(id / PAGE)
    pages[page] ??= new Array<Piece>(PAGE).fill(undefined)
    pages[page][id % PAGE] = made
    return made
  }
  return {
    leadingSpaces: decoder.leadingSpaces,
    malformed: decoder.malformed,
    first: (id) => work(id, true),
    piece: (id) => pages[id >> 8]?.[id & 255] ?? make(id),
  }
}
