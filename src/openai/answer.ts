/** An answer as a whole, and what a failure to give one is to whoever asked. */
import type { AnswerSink } from '../engine/engine.ts'
import type { NamedLogprobs } from '../engine/token-names.ts'
import type { SpoutError } from '../errors.ts'
import type { FinishReason } from '../generation/stop-criteria.ts'
import { RequestError } from './request-error.ts'
import type { ToolCall } from './tool-splitter.ts'

export interface Answer {
  readonly text: string
  /** What a chat model thought before it; `''` for one that does not. */
  readonly reasoning: string
  readonly finishReason: FinishReason
  /** Of tools that the request brought. */
  readonly toolCalls?: readonly ToolCall[] | undefined
  readonly promptTokens: number
  readonly completionTokens: number
  /** A server has not told them: both numbers are 0. */
  readonly isUncounted?: boolean
  /** Where the request asks for them: one per token. */
  readonly logprobs: readonly TokenLogprob[] | undefined
}

export interface TokenLogprob extends NamedLogprobs {
  readonly id: number
}

/** A sink that nobody waits for. */
export function collecting() {
  const [texts, thoughts]: [string[], string[]] = [[], []]
  const logprobs: TokenLogprob[] = []
  const add = (text: string): undefined => void texts.push(text)
  const sink: AnswerSink = {
    token(id, text, chosen) {
      if (chosen !== undefined) logprobs.push({ id, ...chosen })
      return add(text)
    },
    lastPiece: add,
    reasoning: (text) => void thoughts.push(text),
  }
  return { sink, texts, thoughts, logprobs }
}

/** `config` is a chat template that refuses these messages; it takes others. */
export function judged(error: SpoutError): Error {
  const { code, message } = error
  if (code === 'data') {
    const isTooLong = /context/.test(message)
    return new RequestError(isTooLong ? 'context_length_exceeded' : 'empty_prompt', message, 'messages')
  }
  if (code === 'config' || code === 'usage') return new RequestError('invalid_value', message)
  if (code === 'failed') return new RequestError('failed', message)
  if (code === 'incomplete') return new RequestError('incomplete', message)
  return error
}
