/** How the answer leaves: as text, as one JSON document or as JSON events; to stdout or into a file. */
import type { AnswerSink, Engine, EngineResult } from '../engine/engine.ts'
import type { SpoutError } from '../errors.ts'
import type { AnswerWriter } from '../output/answer-writer.ts'
import type { FileOutput } from '../output/file-output.ts'
import { createJsonSink } from '../output/json-sink.ts'
import { createJsonlSink } from '../output/jsonl-sink.ts'
import type { Measurements } from '../output/measurements.ts'
import type { Output } from '../output/stdout.ts'
import { createTextSink } from '../output/text-sink.ts'
import { lacksAnswer } from './answer-end.ts'
import type { Options } from './options.ts'
import { openReasoning } from './terminal/reasoning.ts'

interface AnswerOptions {
  readonly output: Output
  /** The output, when it is a file of `--output`. */
  readonly file?: FileOutput | undefined
  readonly options: Options
  readonly engine: Engine
  /** Before the first piece is handed over. */
  readonly onFirst: () => void
}

export function openAnswer(input: AnswerOptions): AnswerWriter {
  const { file, options } = input
  const writer = chooseWriter(input)
  return {
    sink: announcing(writer.sink, input.onFirst),
    async finish(result: EngineResult, measured: Measurements) {
      const isWhole = result.finishReason !== 'aborted' && !lacksAnswer(result, options.think)
      if (file !== undefined && !isWhole) return file.discard()
      await writer.finish(result, measured)
      file?.commit()
    },
    async fail(error: SpoutError) {
      if (file === undefined) await writer.fail(error)
      else file.discard()
    },
  }
}

function chooseWriter({ output, file, options, engine }: AnswerOptions): AnswerWriter {
  const { json, jsonl, think, color, newline } = options
  if (json || jsonl) {
    const create = json ? createJsonSink : createJsonlSink
    return create({
      output,
      engine,
      logprobs: options.logprobs !== undefined,
      hideReasoning: think === 'hide',
    })
  }
  const terminal = file === undefined ? Boolean(process.stdout.isTTY) : file.isTerminal
  const reasoning = think === 'only' ? think : openReasoning(think !== 'hide', color)
  return createTextSink({ output, terminal, newline, reasoning })
}

/** Tells when the first piece comes, of whatever kind; afterwards nothing stands between. */
function announcing(sink: AnswerSink, onFirst: () => void): AnswerSink {
  let waiting = true
  const announce = (): void => {
    waiting = false
    onFirst()
  }
  return {
    token(id, text, logprobs) {
      if (waiting) announce()
      return sink.token(id, text, logprobs)
    },
    lastPiece(text) {
      if (waiting) announce()
      return sink.lastPiece(text)
    },
    reasoning(text) {
      if (waiting) announce()
      return sink.reasoning?.(text)
    },
  }
}
