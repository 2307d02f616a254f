/** A line of OpenAI's batch output. */
import { createHash } from 'node:crypto'
import { chatChoice, completionChoice, usageOf } from '../openai/choices.ts'
import type { BodyKind } from '../openai/settings.ts'
import { errorObject, type Outcome } from './outcome.ts'

interface OpenaiLineOptions {
  readonly model: string
  /** Seconds since 1970. */
  readonly created: number
}

/** Names follow from the line: the same line is answered by the same bytes. */
export function openaiLine(
  { task, answer, error }: Outcome,
  kind: BodyKind,
  options: OpenaiLineOptions,
): object {
  const { record, id } = task
  const name = createHash('sha256').update(record.raw).digest('hex').slice(0, 24)
  const beginning = { id: `batch_req_${name}`, custom_id: id === undefined ? null : String(id) }
  if (answer === undefined) return { ...beginning, response: null, error: errorObject(error!, record.line) }
  const { model, created } = options
  const isChat = kind === 'chat'
  const body = {
    id: `${isChat ? 'chatcmpl' : 'cmpl'}-${name}`,
    object: isChat ? 'chat.completion' : 'text_completion',
    created,
    model,
    choices: [isChat ? chatChoice(answer) : completionChoice(answer)],
    usage: usageOf(answer),
  }
  return { ...beginning, response: { status_code: 200, request_id: `req_${name}`, body }, error: null }
}
