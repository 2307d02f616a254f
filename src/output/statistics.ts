/** The block of `--stats`, for people. */
import type { Engine, EngineResult, Settled } from '../engine/engine.ts'
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
    `model     ${id} (${dtype}, ${runtime}), loaded after ${ms(measured.loadMs)}`,
    `prompt    ${count(promptTokens - keptTokens)} in ${ms(measured.prefillMs)}${perSecond(measured.prefillTps)}${kept}`,
    ...(settled?.tokens ? [`settled   ${count(settled.tokens)} before it, in ${ms(settled.ms)}`] : []),
    `first     ${measured.ttftMs === undefined ? 'no output' : `byte after ${ms(measured.ttftMs)}`}`,
    `output    ${count(tokenIds.length)} in ${ms(measured.decodeMs)}${perSecond(measured.decodeTps)}`,
    `memory    ${Math.round(peakRssBytes / 2 ** 20)} MiB at most`,
    `seed      ${result.seed}`,
    `finish    ${result.finishReason}`,
  ]
}

function count(tokens: number): string {
  return tokens === 1 ? '1 token' : `${tokens} tokens`
}

function ms(value: number): string {
  return value < 1000 ? `${value.toFixed(1)} ms` : `${(value / 1000).toFixed(2)} s`
}

function perSecond(rate: number | undefined): string {
  return rate === undefined ? '' : `, ${rate.toFixed(1)} tokens/s`
}
