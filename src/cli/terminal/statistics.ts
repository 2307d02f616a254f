import type { Engine, EngineResult, Settled } from '../../engine/engine.ts'
import { measure } from '../../output/measurements.ts'
import { statisticsLines } from '../../output/statistics.ts'
import { loadDim } from './style.ts'

interface StatisticsInput {
  readonly engine: Engine
  readonly result: EngineResult
  readonly loadedAt: number
  /** When the answer was asked for; absent: when the process started. */
  readonly askedAt?: number
  /** What had been run for it before. */
  readonly settled?: Settled
  readonly color: string | undefined
}

/** The block of `--stats` on stderr. */
export async function writeStatistics(input: StatisticsInput): Promise<void> {
  const { result, loadedAt, askedAt, color } = input
  const dim = await loadDim(color)
  const peakRssBytes = process.resourceUsage().maxRSS * 1024
  const lines = statisticsLines({ ...input, measured: measure(result, loadedAt, askedAt), peakRssBytes })
  process.stderr.write(`${lines.map(dim).join('\n')}\n`)
}
