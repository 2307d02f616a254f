/** How much of the context a prompt leaves, and what will end the answer. */
import { SpoutError } from '../errors.ts'
import type { EngineResult } from './engine.ts'
import type { GenerateRequest } from './request.ts'

/** @throws SpoutError `data` when no room for an answer is left. */
export function checkFits(promptTokens: number, contextLength: number): void {
  if (promptTokens === 0) throw new SpoutError('data', 'prompt: it has no tokens')
  if (promptTokens < contextLength) return
  throw new SpoutError('data', `prompt: it is ${promptTokens} tokens, the context holds ${contextLength}`, {
    hint: 'shorten the text, or use a model with a longer context',
  })
}

/** @param room tokens between the prompt and the end of the context */
export function lengthLimit(
  request: GenerateRequest,
  maxTokens: number,
  room: number,
): EngineResult['lengthLimit'] {
  if (maxTokens === 0 || room < maxTokens) return 'context'
  return request.maxTokens === undefined ? 'default' : 'asked'
}
