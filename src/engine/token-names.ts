/** Log-probabilities whose ids have their texts beside them, for readers without the tokenizer. */
import type { SinkWait, TokenSink } from '../generation/token-sink.ts'
import type { TokenLogprobs } from '../sampling/token-logprobs.ts'
import type { Tokenizer } from '../tokenizer/tokenizer.ts'

/** A token by itself, whatever stands beside it. */
export interface TokenName {
  /** U+FFFD stands for a part of a character. */
  readonly token: string
  /** UTF-8; those of neighbours, joined, are the text. */
  readonly bytes: readonly number[]
}

export interface NamedLogprobs extends TokenLogprobs, TokenName {
  readonly top: readonly (TokenLogprobs['top'][number] & TokenName)[]
}

/** In place of the id of a token that a server has written: it tells none. A piece of its may be of several. */
export const NO_ID = -1

/** A sink that is told the names of tokens with their log-probabilities. */
export interface NamedSink extends TokenSink {
  token(id: number, text: string, logprobs?: NamedLogprobs): SinkWait
}

/** What gives the names to such a sink. */
export function namingTokens(sink: NamedSink, tokenizer: Tokenizer): TokenSink {
  return {
    token(id, text, logprobs) {
      if (logprobs === undefined) return sink.token(id, text)
      const top = logprobs.top.map((each) => ({ ...each, ...nameOf(each.id, tokenizer) }))
      return sink.token(id, text, { ...logprobs, ...nameOf(id, tokenizer), top })
    },
    lastPiece: (text) => sink.lastPiece(text),
  }
}

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { ignoreBOM: true })

export function nameOf(id: number, tokenizer: Tokenizer): TokenName {
  const { pieces } = tokenizer
  const piece =
    pieces === undefined ? tokenizer.decode([id], { skipSpecialTokens: false }) : (pieces.piece(id) ?? '')
  const bytes = typeof piece === 'string' ? encoder.encode(piece) : piece
  return { token: typeof piece === 'string' ? piece : decoder.decode(piece), bytes: [...bytes] }
}
