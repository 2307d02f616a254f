/** What the commands under `spout models` are given. */
import type { Environment } from '../../hub/hub-environment.ts'
import type { Patience } from '../../hub/retry.ts'
import type { DtypeChoice } from '../../model/dtype.ts'
import type { ExpectedHow } from '../../open/expect-run.ts'
import type { ProgressStream } from '../terminal/download-progress.ts'

/** Where a command reads and writes. */
export interface ModelsIo {
  readonly stdout: { write(text: string): unknown }
  readonly stderr: ProgressStream
  readonly env: Environment
}

export interface ModelsOptions {
  readonly json?: boolean | undefined
  readonly dtype?: DtypeChoice | undefined
  readonly cacheDir?: string | undefined
  readonly offline?: boolean | undefined
  /** pull: hash what is cached and fetch again what is damaged. */
  readonly repair?: boolean | undefined
  /** list: also models without an ONNX graph. */
  readonly all?: boolean | undefined
  /** prepare: also what is prepared already. */
  readonly again?: boolean | undefined
  /** prepare: only where no other process is at it. */
  readonly ifFree?: boolean | undefined
  /** prepare: threads of the runtime. */
  readonly threads?: number | undefined
  /** prepare: for runs with --precise. */
  readonly precise?: boolean | undefined
  /** prepare: the model when none is named. */
  readonly model?: string | undefined
  /** show: how a run without flags would run it. */
  readonly how?: ExpectedHow | undefined
  /** prune: gigabytes of what is prepared that may stay. */
  readonly keep?: number | undefined
  /** rm, prune: only tell what would be removed. */
  readonly dryRun?: boolean | undefined
  /** No progress. */
  readonly quiet?: boolean | undefined
  /** Also what was decided. */
  readonly verbose?: boolean | undefined
  readonly signal?: AbortSignal | undefined
  readonly patience?: Partial<Patience> | undefined
}

/** A command: the models named, the flags, and where to write. Throws SpoutError; the exit code is the error's. */
export type ModelsCommand = (models: readonly string[], options: ModelsOptions, io: ModelsIo) => Promise<void>
