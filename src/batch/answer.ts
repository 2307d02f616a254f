/** One request of a batch, computed: its answer as a whole, or the error that is its line's alone. */
import type { AnswerSink, Engine, EngineResult } from '../engine/engine.ts'
import type { GenerateRequest } from '../engine/request.ts'
import type { NamedLogprobs } from '../engine/token-names.ts'
import type { SpoutError } from '../errors.ts'
import type { FinishReason } from '../generation/stop-criteria.ts'
import type { Trace } from '../trace.ts'
import { LineError } from './line-error.ts'

export interface Answer {
  readonly text: string
  /** What a chat model thought before it; `''` for one that does not. */
  readonly reasoning: string
  readonly finishReason: FinishReason
  readonly promptTokens: number
  readonly completionTokens: number
  /** Where the request asks for them: one per token. */
  readonly logprobs: readonly TokenLogprob[] | undefined
}

export interface TokenLogprob extends NamedLogprobs {
  readonly id: number
}

export interface AnswerIo {
  readonly signal: AbortSignal
  readonly trace?: Trace | undefined
  /** What becomes of reasoning: kept apart (`show`), dropped, or it alone is the text. */
  readonly think: 'show' | 'hide' | 'only'
  /** What any failure is, told as an error of ours. */
  readonly asSpoutError: (cause: unknown) => SpoutError
}

/**
 * @returns `undefined` when the signal ended it
 * @throws LineError for what is the line's fault; SpoutError for what would meet every other line too: memory, files.
 */
export async function answerOf(
  engine: Pick<Engine, 'generate'>,
  request: GenerateRequest,
  io: AnswerIo,
): Promise<Answer | undefined> {
  const heard = collecting()
  let result: EngineResult
  try {
    result = await engine.generate(request, { signal: io.signal, trace: io.trace, sink: heard.sink })
  } catch (cause) {
    if (io.signal.aborted) return undefined
    throw judged(io.asSpoutError(cause))
  }
  if (result.finishReason === 'aborted') return undefined
  if (result.finishReason === 'reasoning' && io.think !== 'only') throw cutInReasoning(result)
  if (result.structure?.isComplete === false) throw cutInStructure(result)
  const [text, reasoning] = [heard.texts.join(''), heard.thoughts.join('')]
  return {
    text: io.think === 'only' ? reasoning : text,
    reasoning: io.think === 'show' ? reasoning : '',
    finishReason: result.finishReason,
    promptTokens: result.promptTokens,
    completionTokens: result.tokenIds.length,
    logprobs: request.sampling.logprobs === undefined ? undefined : heard.logprobs,
  }
}

/** A sink that nobody waits for. */
function collecting() {
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

function cutInReasoning({ tokenIds, maxTokens }: EngineResult): LineError {
  const isCut = maxTokens > 0 && tokenIds.length >= maxTokens
  const why = isCut
    ? `the limit of ${maxTokens} tokens fell inside the reasoning`
    : 'nothing came after the reasoning'
  return new LineError('no_answer', why)
}

/** Half of a value is none: whoever wants JSON gets a whole one or an error. */
function cutInStructure({ finishReason, maxTokens }: EngineResult): LineError {
  const why =
    finishReason === 'length' ? `the limit of ${maxTokens} tokens came first` : 'the context is full'
  const reason = finishReason === 'stop' ? 'the model ended before it' : why
  return new LineError('incomplete', `structure: not complete: ${reason}`)
}

/** `config` is a chat template that refuses these messages; it takes others. */
function judged(error: SpoutError): Error {
  const { code, message } = error
  if (code === 'data') {
    const isTooLong = /context/.test(message)
    return new LineError(isTooLong ? 'context_length_exceeded' : 'empty_prompt', message, 'messages')
  }
  if (code === 'config' || code === 'usage') return new LineError('invalid_value', message)
  if (code === 'failed') return new LineError('failed', message)
  if (code === 'incomplete') return new LineError('incomplete', message)
  return error
}
