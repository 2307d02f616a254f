import { closeSync, openSync, writeSync } from 'node:fs'
import { devNull } from 'node:os'
import type { TokenSink } from '../generation/token-sink.ts'

export interface NullSink extends TokenSink {
  close(): void
}

/** Writes every piece to the null device: the call is made and counts, the reader is not measured. */
export function openNullSink(): NullSink {
  const file = openSync(devNull, 'w')
  const write = (text: string): undefined => {
    if (text !== '') writeSync(file, text)
  }
  return { token: (_, text) => write(text), lastPiece: write, close: () => closeSync(file) }
}
