/** What is measured: an arm is one way of answering the same request, and a comparison is two of them. */
import type { GenerateRequest } from '../engine/request.ts'
import type { ModelChoice, OpenHow, OpenIo } from '../open/open-options.ts'

export type EngineHooks = OpenIo
/** What an engine is opened with, as JSON can carry it. */
export type EngineSettings = ModelChoice & OpenHow

/** Plain data, so that a process of its own can be told. */
export interface ArmSpec {
  readonly name: string
  /** One line: what it stands for. */
  readonly standsFor: string
  readonly engine: 'spout' | 'transformers.js'
  readonly settings: EngineSettings
  /** Names of what is done as it was before, in the order in which it is put around the request. */
  readonly before: readonly string[]
  /** Greedy with a repetition penalty, as its comparison needs one. */
  readonly penalty: boolean
  /** Repeated text is guessed, as a run guesses it. */
  readonly drafts?: true
}

export interface ComparisonSpec {
  readonly arm: ArmSpec
  /** What it is measured beside. */
  readonly beside: ArmSpec
  /** Both are the same: what is seen is the noise of the run. */
  readonly noise?: true
}

/** The work of every arm: the same prompt, and so many tokens whatever they are. */
export interface BenchTask {
  readonly request: GenerateRequest
  readonly tokens: number
}

/** One request, measured. Times in milliseconds. */
export interface RequestRecord {
  readonly ids: readonly number[]
  readonly promptTokens: number
  /** From the ids of the prompt to the last text. */
  readonly ms: number
  readonly prefillMs: number
  /** To the first text; `undefined` when there was none. */
  readonly firstTextMs: number | undefined
  /** From each token to the next, the first token left out. */
  readonly steps: ArrayLike<number>
  /** Choosing ids, and making and writing text; `undefined` where it cannot be seen. */
  readonly samplingMs: number | undefined
  readonly textMs: number | undefined
}

export interface RunOptions {
  readonly tokens: number
  readonly signal?: AbortSignal | undefined
}

/** An arm that is loaded and answers in this process. */
export interface LoadedArm {
  readonly loadMs: number
  /** @throws the signal's reason when it is aborted. */
  run(options: RunOptions): Promise<RequestRecord>
  dispose(): Promise<void>
}
