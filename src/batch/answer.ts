/** One request of a batch, computed: its answer as a whole, or the error that is its line's alone. */
import type { Engine, EngineResult } from '../engine/engine.ts'
import type { GenerateRequest } from '../engine/request.ts'
import type { SpoutError } from '../errors.ts'
import { type Answer, collecting, judged } from '../openai/answer.ts'
import { RequestError } from '../openai/request-error.ts'
import type { Trace } from '../trace.ts'

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
 * @throws RequestError for what is the line's fault; SpoutError for what would meet every other line too: memory, files.
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
    completionTokens: result.completionTokens,
    ...(result.isUncounted && { isUncounted: true }),
    logprobs: request.sampling.logprobs === undefined ? undefined : heard.logprobs,
  }
}

function cutInReasoning({ completionTokens, maxTokens }: EngineResult): RequestError {
  const isCut = maxTokens > 0 && completionTokens >= maxTokens
  const why = isCut
    ? `the limit of ${maxTokens} tokens fell inside the reasoning`
    : 'nothing came after the reasoning'
  return new RequestError('no_answer', why)
}

/** Half of a value is none: whoever wants JSON gets a whole one or an error. */
function cutInStructure({ finishReason, maxTokens }: EngineResult): RequestError {
  const why =
    finishReason === 'length' ? `the limit of ${maxTokens} tokens came first` : 'the context is full'
  const reason = finishReason === 'stop' ? 'the model ended before it' : why
  return new RequestError('incomplete', `structure: not complete: ${reason}`)
}
