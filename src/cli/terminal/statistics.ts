import type { Engine, EngineResult } from '../../engine/engine.ts'
import { measure } from '../../output/measurements.ts'
import { statisticsLines } from '../../output/statistics.ts'
import { loadDim } from './style.ts'

export interface StatisticsInput {
  readonly engine: Engine
  readonly result: EngineResult
  readonly loadedAt: number
  /** When the answer was asked for; absent: when the process started. */
  readonly askedAt?: number
  readonly color: string | undefined
}

/** The block of `--stats` on stderr. */
export async function writeStatistics(input: StatisticsInput): Promise<void> {
  const { engine, result, loadedAt, askedAt, color } = input
  const dim = await loadDim(color)
  const peak = process.resourceUsage().maxRSS * 1024
  const lines = statisticsLines(engine, result, measure(result, loadedAt, askedAt), peak)
  process.stderr.write(`${lines.map(dim).join('\n')}\n`)
}
