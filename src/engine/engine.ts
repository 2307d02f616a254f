import type { GenerateResult } from '../generation/generate.ts'
import type { TokenSink } from '../generation/token-sink.ts'
import type { Trace } from '../trace.ts'
import type { GenerateRequest } from './request.ts'

/** What runs requests. A command does not know whether it is in this process. */
export interface Engine {
  readonly model: EngineModel
  /** @throws SpoutError `data` when the prompt does not fit the context, before anything is computed. */
  generate(request: GenerateRequest, door: EngineDoor): Promise<EngineResult>
  dispose(): Promise<void>
}

export interface EngineModel {
  readonly id: string
  readonly revision: string | undefined
  readonly dtype: string
  /** Which binding runs the session. */
  readonly runtime: string
  readonly contextLength: number
}

/** How one request is connected to the outside. */
export interface EngineDoor {
  readonly sink: TokenSink
  readonly signal?: AbortSignal | undefined
  readonly trace?: Trace | undefined
  /** Prompt tokens done, prompt tokens in all. */
  readonly onPrefill?: ((done: number, total: number) => void) | undefined
}

export interface EngineResult extends GenerateResult {
  readonly promptTokens: number
  readonly seed: bigint
  /** Why the length ended it, when it did: the limit asked for, the default limit, or the context. */
  readonly lengthLimit: 'asked' | 'default' | 'context'
  readonly maxTokens: number
}
