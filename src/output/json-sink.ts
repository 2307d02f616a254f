/** `--json`: the text is collected, and one document is written at the end. */
import type { Engine } from '../engine/engine.ts'
import type { StructureRequest } from '../engine/structure-request.ts'
import type { AnswerWriter } from './answer-writer.ts'
import { type CollectOptions, collectAnswer } from './collected-answer.ts'
import { documentLine, jsonDocument } from './json-document.ts'
import type { Output } from './stdout.ts'
import { jsonValueOf } from './structured-value.ts'

export interface JsonSinkOptions extends CollectOptions {
  readonly output: Output
  readonly engine: Engine
  /** What the answer satisfies: one of JSON has its value beside its text. */
  readonly structure?: StructureRequest | undefined
}

export function createJsonSink({ output, engine, structure, ...options }: JsonSinkOptions): AnswerWriter {
  const collected = collectAnswer(options)
  return {
    sink: collected.sink,
    async finish(result, measured) {
      const answer = collected.whole(result, measured)
      const document = jsonDocument({ engine, ...answer })
      await output.write(`${documentLine(document, jsonValueOf(structure, answer.text))}\n`)
      await output.flush()
    },
    fail: () => output.flush(),
  }
}
