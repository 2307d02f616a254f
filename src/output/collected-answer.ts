/** An answer that is written when it is complete: its pieces until then. */
import type { AnswerSink, EngineResult } from '../engine/engine.ts'
import type { JsonAnswer, LogprobEntry } from './json-document.ts'
import type { Measurements } from './measurements.ts'
import { toldId, toldLogprobs } from './told-id.ts'

export interface CollectOptions {
  readonly logprobs: boolean
  /** Leave the reasoning of the model out. */
  readonly hideReasoning: boolean
}

export interface CollectedAnswer {
  readonly sink: AnswerSink
  /** What a document says of it. */
  whole(result: EngineResult, measured: Measurements): JsonAnswer
}

export function collectAnswer({ logprobs, hideReasoning }: CollectOptions): CollectedAnswer {
  const pieces: string[] = []
  const thoughts: string[] = []
  const entries: LogprobEntry[] = []
  return {
    sink: {
      token(id, text, chosen) {
        pieces.push(text)
        if (logprobs && chosen !== undefined) entries.push({ id: toldId(id), ...toldLogprobs(chosen) })
        return undefined
      },
      lastPiece(text) {
        pieces.push(text)
        return undefined
      },
      reasoning(text) {
        thoughts.push(text)
        return undefined
      },
    },
    whole: (result, measured) => ({
      result,
      text: pieces.join(''),
      reasoning: hideReasoning ? '' : thoughts.join(''),
      measured,
      logprobs: logprobs ? entries : undefined,
    }),
  }
}
