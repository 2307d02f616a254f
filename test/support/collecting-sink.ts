import type { TokenSink } from '../../src/generation/token-sink.ts'

export interface CollectingSink extends TokenSink {
  readonly pieces: string[]
  readonly ids: number[]
  /** All pieces, joined. */
  readonly text: string
}

export function collectingSink(): CollectingSink {
  const pieces: string[] = []
  const ids: number[] = []
  return {
    pieces,
    ids,
    get text() {
      return pieces.join('')
    },
    token(id, text) {
      ids.push(id)
      pieces.push(text)
      return undefined
    },
    lastPiece(text) {
      pieces.push(text)
      return undefined
    },
  }
}
