/** How the answer leaves: as text, as one JSON document, or as JSON events. */
import type { Engine, EngineResult } from '../engine/engine.ts'
import type { TokenSink } from '../generation/token-sink.ts'
import { createJsonSink } from '../output/json-sink.ts'
import { createJsonlSink } from '../output/jsonl-sink.ts'
import type { Measurements } from '../output/measurements.ts'
import type { Stdout } from '../output/stdout.ts'
import { createTextSink } from '../output/text-sink.ts'
import type { Options } from './options.ts'

export interface Answer {
  readonly sink: TokenSink
  /** The generation ended. */
  finish(result: EngineResult, measured: Measurements): Promise<void>
  /** The generation failed: what was written stays, and ends its line. */
  fail(): Promise<void>
}

export interface AnswerOptions {
  readonly stdout: Stdout
  readonly options: Options
  readonly engine: Engine
  /** Before the first piece is written. */
  readonly onFirst: () => void
}

export function openAnswer({ stdout, options, engine, onFirst }: AnswerOptions): Answer {
  if (options.json || options.jsonl) {
    const create = options.json ? createJsonSink : createJsonlSink
    return create({ stdout, engine, logprobs: options.logprobs !== undefined })
  }
  const sink = createTextSink(stdout, { terminal: Boolean(process.stdout.isTTY) })
  let first = true
  return {
    sink: {
      token(id, text) {
        if (first && text !== '') {
          first = false
          onFirst()
        }
        return sink.token(id, text)
      },
      rest: (text) => sink.rest(text),
    },
    finish: () => sink.finish(options.newline),
    fail: () => sink.finish(options.newline),
  }
}
