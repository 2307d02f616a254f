/** `--json`: the text is collected, and one document is written at the end. */
import type { Engine } from '../engine/engine.ts'
import { toJson } from '../system/text-display.ts'
import type { AnswerWriter } from './answer-writer.ts'
import { jsonDocument, type LogprobEntry } from './json-document.ts'
import type { Output } from './stdout.ts'

export interface JsonSinkOptions {
  readonly output: Output
  readonly engine: Engine
  readonly logprobs: boolean
  /** Leave the reasoning of the model out. */
  readonly hideReasoning: boolean
}

export function createJsonSink({ output, engine, logprobs, hideReasoning }: JsonSinkOptions): AnswerWriter {
  const pieces: string[] = []
  const thoughts: string[] = []
  const entries: LogprobEntry[] = []
  return {
    sink: {
      token(id, text, chosen) {
        pieces.push(text)
        if (logprobs && chosen !== undefined) entries.push({ id, ...chosen })
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
    async finish(result, measured) {
      const document = jsonDocument({
        engine,
        result,
        text: pieces.join(''),
        reasoning: hideReasoning ? '' : thoughts.join(''),
        measured,
        logprobs: logprobs ? entries : undefined,
      })
      await output.write(`${toJson(document)}\n`)
      await output.flush()
    },
    fail: () => output.flush(),
  }
}
