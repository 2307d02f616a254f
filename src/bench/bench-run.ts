/** What a run has measured, as data: samples are kept as they come, and every report is made from this. */
import type { BenchTask, ComparisonSpec } from './arm.ts'
import type { Environment } from './environment.ts'
import type { Sample } from './sample.ts'

export interface BenchPlan {
  readonly comparisons: readonly ComparisonSpec[]
  readonly task: BenchTask
  /** Of each comparison, an even number. */
  readonly pairs: number
  /** Of the order. */
  readonly seed: bigint
  /** Every sample in a process of its own. */
  readonly freshProcess: boolean
  /** A difference below this share need not be told from none. */
  readonly resolution: number
}

export interface BenchRun {
  readonly plan: BenchPlan
  readonly environment: Environment
  readonly samples: readonly Sample[]
  /** The ids of the first sample of each arm. */
  readonly ids: ReadonlyMap<string, readonly number[]>
  /** Why it ended before all pairs were taken: what failed, or the reason of an abort. */
  readonly ended:
    | { readonly how: 'complete' }
    | { readonly how: 'interrupted' | 'failed'; readonly why: unknown }
  readonly seconds: number
  readonly loadAfter: readonly number[]
  /** Of this process, whatever it loaded. */
  readonly peakRssBytes: number
}
