/** A line of OpenAI's batch output. */
import { createHash } from 'node:crypto'
import type { FinishReason } from '../generation/stop-criteria.ts'
import type { Answer, TokenLogprob } from './answer.ts'
import type { BodyKind } from './body-settings.ts'
import { errorObject, type Outcome, usageOf } from './outcome.ts'

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

function chatChoice({ text, reasoning, finishReason, logprobs }: Answer): object {
  const thoughts = reasoning === '' ? {} : { reasoning_content: reasoning }
  return {
    index: 0,
    message: { role: 'assistant', content: text, refusal: null, ...thoughts },
    logprobs: logprobs === undefined ? null : { content: logprobs.map(chatLogprob), refusal: null },
    finish_reason: reasonOf(finishReason),
  }
}

function chatLogprob({ token, logprob, bytes, top }: TokenLogprob): object {
  const top_logprobs = top.map((each) => ({ token: each.token, logprob: each.logprob, bytes: each.bytes }))
  return { token, logprob, bytes, top_logprobs }
}

function completionChoice({ text, finishReason, logprobs }: Answer): object {
  return {
    index: 0,
    text,
    logprobs: logprobs === undefined ? null : completionLogprobs(logprobs),
    finish_reason: reasonOf(finishReason),
  }
}

function completionLogprobs(logprobs: readonly TokenLogprob[]): object {
  let offset = 0
  const text_offset = logprobs.map(({ token }) => {
    const at = offset
    offset += token.length
    return at
  })
  return {
    tokens: logprobs.map(({ token }) => token),
    token_logprobs: logprobs.map(({ logprob }) => logprob),
    top_logprobs: logprobs.map(({ top }) =>
      Object.fromEntries(top.map((each) => [each.token, each.logprob])),
    ),
    text_offset,
  }
}

/** There are fewer reasons there. */
function reasonOf(reason: FinishReason): 'stop' | 'length' {
  return reason === 'stop' || reason === 'stop-string' ? 'stop' : 'length'
}
