/** An answer in the shapes of OpenAI's chat completions and completions. */
import type { FinishReason } from '../generation/stop-criteria.ts'
import type { Answer, TokenLogprob } from './answer.ts'
import type { ToolCall } from './tool-splitter.ts'

export function chatChoice({ text, reasoning, finishReason, logprobs, toolCalls = [] }: Answer): object {
  const hasCalls = toolCalls.length > 0
  const calls = hasCalls ? { tool_calls: toolCalls.map(callObject) } : {}
  const thoughts = reasoning === '' ? {} : { reasoning_content: reasoning }
  return {
    index: 0,
    message: {
      role: 'assistant',
      content: hasCalls && text === '' ? null : text,
      refusal: null,
      ...calls,
      ...thoughts,
    },
    logprobs: logprobs === undefined ? null : { content: logprobs.map(chatLogprob), refusal: null },
    finish_reason: reasonOf(finishReason, hasCalls),
  }
}

function callObject({ id, name, arguments: text }: ToolCall): object {
  return { id, type: 'function', function: { name, arguments: text } }
}

export function chatLogprob({ token, logprob, bytes, top }: TokenLogprob): object {
  const top_logprobs = top.map((each) => ({ token: each.token, logprob: each.logprob, bytes: each.bytes }))
  return { token, logprob, bytes, top_logprobs }
}

export function completionChoice({ text, finishReason, logprobs }: Answer): object {
  return {
    index: 0,
    text,
    logprobs: logprobs === undefined ? null : completionLogprobs(logprobs),
    finish_reason: reasonOf(finishReason),
  }
}

/** @param from characters before them */
export function completionLogprobs(logprobs: readonly TokenLogprob[], from = 0): object {
  let offset = from
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
export function reasonOf(reason: FinishReason, hasCalls = false): 'stop' | 'length' | 'tool_calls' {
  if (reason !== 'stop' && reason !== 'stop-string') return 'length'
  return hasCalls ? 'tool_calls' : 'stop'
}

export function usageOf({
  promptTokens,
  completionTokens,
  isUncounted = false,
}: Pick<Answer, 'promptTokens' | 'completionTokens' | 'isUncounted'>) {
  if (isUncounted) return null
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
  }
}
