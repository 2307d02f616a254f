import type { AnswerSink, EngineResult } from '../engine/engine.ts'
import type { SpoutError } from '../errors.ts'
import type { Measurements } from './measurements.ts'

/** One way of writing an answer: its pieces as they come, and its end. */
export interface AnswerWriter {
  readonly sink: AnswerSink
  /** The generation ended, be it by an abort. */
  finish(result: EngineResult, measured: Measurements): Promise<void>
  /** The generation failed. What was written stays; nothing may look like an end. */
  fail(error: SpoutError): Promise<void>
}
