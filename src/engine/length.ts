/** Whether the context leaves room for an answer. */
import { SpoutError } from '../errors.ts'

/** @throws SpoutError `data` when no room for an answer is left. */
export function checkFits(promptTokens: number, contextLength: number): void {
  if (promptTokens === 0) throw new SpoutError('data', 'prompt: it has no tokens')
  if (promptTokens < contextLength) return
  throw new SpoutError('data', `prompt: it is ${promptTokens} tokens, the context holds ${contextLength}`, {
    hint: 'shorten the text, or use a model with a longer context',
  })
}
