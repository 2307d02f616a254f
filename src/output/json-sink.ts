/** `--json`: the text is collected, and one document is written at the end. */
import type { Engine, EngineResult } from '../engine/engine.ts'
import type { TokenSink } from '../generation/token-sink.ts'
import { jsonDocument, type LogprobEntry } from './json-document.ts'
import type { Measurements } from './measurements.ts'
import type { Stdout } from './stdout.ts'

export interface JsonSinkOptions {
  readonly stdout: Stdout
  readonly engine: Engine
  readonly logprobs: boolean
}

export interface FinishingSink {
  readonly sink: TokenSink
  finish(result: EngineResult, measured: Measurements): Promise<void>
  fail(): Promise<void>
}

export function createJsonSink({ stdout, engine, logprobs }: JsonSinkOptions): FinishingSink {
  const pieces: string[] = []
  const entries: LogprobEntry[] = []
  return {
    sink: {
      token(id, text, chosen) {
        pieces.push(text)
        if (logprobs && chosen !== undefined) entries.push({ id, token: text, ...chosen })
        return undefined
      },
      rest(text) {
        pieces.push(text)
        return undefined
      },
    },
    async finish(result, measured) {
      const text = pieces.join('')
      const document = jsonDocument({
        engine,
        result,
        text,
        measured,
        logprobs: logprobs ? entries : undefined,
      })
      await stdout.write(`${JSON.stringify(document)}\n`)
      await stdout.flush()
    },
    fail: () => stdout.flush(),
  }
}
