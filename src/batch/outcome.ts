/** What became of a task, and the parts of it that every format shares. */
import type { Answer } from './answer.ts'
import type { LineError } from './line-error.ts'
import type { Task } from './tasks.ts'

export interface Outcome {
  readonly task: Task
  /** One of both. */
  readonly answer?: Answer
  readonly error?: LineError
  /** It was not computed: an equal request was. */
  readonly isRepeat?: boolean
}

/** @param line where in the input, from 1 */
export function errorObject({ code, message, param, type }: LineError, line: number) {
  return { code, message, param: param ?? null, type, line }
}

export function usageOf({ promptTokens, completionTokens }: Answer) {
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
  }
}
