/** The figures of one run, from its times. A rate without at least one token to measure is absent, never Infinity. */
import type { EngineResult } from '../engine/engine.ts'

export interface Measurements {
  /** From the start of the process to the model being ready. */
  readonly loadMs: number
  readonly prefillMs: number
  /** From `since` to the first text handed to stdout (with `--json`: that could have been). */
  readonly ttftMs: number | undefined
  /** From the end of the prefill to the last token. */
  readonly decodeMs: number
  /** Prompt tokens per second, those kept from before left out. */
  readonly prefillTps: number | undefined
  /** Steps per second: tokens, the first one left out, for it belongs to the prefill, and an end token counted. */
  readonly decodeTps: number | undefined
}

/** @param since when the first text began to be waited for: the start of the process, or of a turn. */
export function measure(result: EngineResult, loadedAt: number, since = 0): Measurements {
  const { startedAt, prefilledAt, endedAt, firstTextAt } = result.timings
  const decodeMs = Math.max(0, endedAt - prefilledAt)
  const prefillMs = Math.max(0, prefilledAt - startedAt)
  return {
    loadMs: loadedAt,
    prefillMs,
    ttftMs: firstTextAt === undefined ? undefined : firstTextAt - since,
    decodeMs,
    prefillTps: rate(result.promptTokens - result.keptTokens, prefillMs),
    decodeTps: rate(decodeSteps(result), decodeMs),
  }
}

/** Steps after the prefill, which gave the first id; an end token is a step too, though no part of the answer. */
function decodeSteps({ completionTokens, finishReason }: EngineResult): number {
  return completionTokens - (finishReason === 'stop' ? 0 : 1)
}

function rate(tokens: number, ms: number): number | undefined {
  return tokens > 0 && ms > 0 ? (1000 * tokens) / ms : undefined
}
