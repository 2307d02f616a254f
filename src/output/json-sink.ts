/** `--json`: the text is collected, and one document is written at the end. */
import type { Engine } from '../engine/engine.ts'
import type { StructureRequest } from '../engine/structure-request.ts'
import type { AnswerWriter } from './answer-writer.ts'
import { documentLine, jsonDocument, type LogprobEntry } from './json-document.ts'
import type { Output } from './stdout.ts'
import { jsonValueOf } from './structured-value.ts'

export interface JsonSinkOptions {
  readonly output: Output
  readonly engine: Engine
  readonly logprobs: boolean
  /** Leave the reasoning of the model out. */
  readonly hideReasoning: boolean
  /** What the answer satisfies: one of JSON has its value beside its text. */
  readonly structure?: StructureRequest | undefined
}

export function createJsonSink(options: JsonSinkOptions): AnswerWriter {
  const { output, engine, logprobs, hideReasoning, structure } = options
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
      const text = pieces.join('')
      const document = jsonDocument({
        engine,
        result,
        text,
        reasoning: hideReasoning ? '' : thoughts.join(''),
        measured,
        logprobs: logprobs ? entries : undefined,
      })
      await output.write(`${documentLine(document, jsonValueOf(structure, text))}\n`)
      await output.flush()
    },
    fail: () => output.flush(),
  }
}
