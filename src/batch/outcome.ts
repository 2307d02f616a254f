/** What became of a task, and the parts of it that every format shares. */
import type { Answer } from '../openai/answer.ts'
import type { RequestError } from '../openai/request-error.ts'
import type { Task } from './tasks.ts'

export interface Outcome {
  readonly task: Task
  /** One of both. */
  readonly answer?: Answer
  readonly error?: RequestError
  /** It was not computed: an equal request was. */
  readonly isRepeat?: boolean
}

/** @param line where in the input, from 1 */
export function errorObject({ code, message, param, type }: RequestError, line: number) {
  return { code, message, param: param ?? null, type, line }
}
