/** Why a generation ended. */
export type FinishReason = 'stop' | 'length' | 'stop-string' | 'aborted'

export interface StopLimits {
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
