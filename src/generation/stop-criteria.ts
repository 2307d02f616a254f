/**
 * Why a generation ended: an end token, the limit that was asked for, a full context, a stop text, an abort; `reasoning`:
 * whatever ended it, it came before the answer that the reasoning was for.
 */
export type FinishReason = 'stop' | 'length' | 'context' | 'stop-string' | 'reasoning' | 'aborted'

interface StopLimits {
  /** Most ids to generate; 0 = until the context is full. */
  readonly maxTokens: number
  readonly contextLength: number
  readonly promptTokens: number
}

/** How many ids may be generated: what was asked for, within what the context holds. */
export function tokenBudget({ maxTokens, contextLength, promptTokens }: StopLimits): number {
  const room = contextLength - promptTokens
  return maxTokens === 0 ? room : Math.min(maxTokens, room)
}

/** What it means that the budget is spent. */
export function budgetReason({ maxTokens, contextLength, promptTokens }: StopLimits): FinishReason {
  return maxTokens === 0 || contextLength - promptTokens < maxTokens ? 'context' : 'length'
}
