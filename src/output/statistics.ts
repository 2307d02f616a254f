/** The block of `--stats`, for people. */
import type { Engine, EngineResult, Settled } from '../engine/engine.ts'
import { bytesText, durationText } from '../system/quantities.ts'
import { escapeText } from '../system/text-display.ts'
import type { Measurements } from './measurements.ts'

export interface StatisticsInput {
  readonly engine: Engine
  readonly result: EngineResult
  readonly measured: Measurements
  readonly peakRssBytes: number
  /** In a conversation: what was run for this request between the one before and it. */
  readonly settled?: Settled
}

export function statisticsLines({
  engine,
  result,
  measured,
  peakRssBytes,
  settled,
}: StatisticsInput): string[] {
  const { id, dtype, runtime } = engine.model
  const { promptTokens, keptTokens, tokenIds } = result
  const kept = keptTokens === 0 ? '' : `, ${keptTokens} kept from before`
  return [
    `model     ${escapeText(id)} (${dtype}, ${runtime}), loaded after ${durationText(measured.loadMs)}`,
    `prompt    ${count(promptTokens - keptTokens)} in ${durationText(measured.prefillMs)}${perSecond(measured.prefillTps)}${kept}`,
    ...(settled?.tokens
      ? [`settled   ${count(settled.tokens)} before it, in ${durationText(settled.ms)}`]
      : []),
    `first     ${measured.ttftMs === undefined ? 'no output' : `byte after ${durationText(measured.ttftMs)}`}`,
    `output    ${count(tokenIds.length)} in ${durationText(measured.decodeMs)}${perSecond(measured.decodeTps)}`,
    `memory    ${bytesText(peakRssBytes)} at most`,
    `seed      ${result.seed}`,
    `finish    ${result.finishReason}`,
  ]
}

function count(tokens: number): string {
  return tokens === 1 ? '1 token' : `${tokens} tokens`
}

function perSecond(rate: number | undefined): string {
  return rate === undefined ? '' : `, ${rate.toFixed(1)} tokens/s`
}
