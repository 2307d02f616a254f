/**
 * `--jsonl`: an event per line, as it happens. The texts of all `token` events, joined, are the text of `end`; so are
 * their reasonings. A token's event bears the text that became certain with it, an id of null what was held back.
 */
import { toJson } from '../system/text-display.ts'
import type { AnswerWriter } from './answer-writer.ts'
import { documentLine, errorDocument, jsonDocument } from './json-document.ts'
import type { JsonSinkOptions } from './json-sink.ts'
import { jsonValueOf } from './structured-value.ts'
import { toldId, toldLogprobs } from './told-id.ts'

export function createJsonlSink(options: JsonSinkOptions): AnswerWriter {
  const { output, engine, logprobs, hideReasoning, structure } = options
  const pieces: string[] = []
  const thoughts: string[] = []
  let thought = ''
  const { id: model, revision, dtype } = engine.model
  const write = (event: object): Promise<void> | undefined => output.write(`${toJson(event)}\n`)
  const token = (fields: { id: number | null; text: string }): Promise<void> | undefined => {
    pieces.push(fields.text)
    const event = { event: 'token', ...fields, ...(thought === '' ? {} : { reasoning: thought }) }
    thought = ''
    return write(event)
  }
  const started = write({ event: 'start', model, revision: revision ?? null, dtype })
  return {
    sink: {
      token: (id, text, chosen) =>
        token({ id: toldId(id), text, ...(logprobs && chosen && toldLogprobs(chosen)) }),
      lastPiece: (text) => token({ id: null, text }),
      reasoning(text) {
        if (hideReasoning) return undefined
        thoughts.push(text)
        thought += text
        return undefined
      },
    },
    async finish(result, measured) {
      await started
      if (thought !== '') await token({ id: null, text: '' })
      const text = pieces.join('')
      const document = jsonDocument({ engine, result, text, reasoning: thoughts.join(''), measured })
      const value = result.structure?.isComplete ? jsonValueOf(structure, text) : undefined
      await output.write(`${documentLine({ event: 'end', ...document }, value)}\n`)
      await output.flush()
    },
    async fail(error) {
      await write({ event: 'error', ...errorDocument(error) })
      await output.flush()
    },
  }
}
