/** How the answer leaves: as text, as one JSON document or as JSON events; to stdout or into a file. */
import type { AnswerSink, Engine, EngineResult } from '../engine/engine.ts'
import type { StructureRequest } from '../engine/structure-request.ts'
import type { SpoutError } from '../errors.ts'
import type { AnswerWriter } from '../output/answer-writer.ts'
import type { FileOutput } from '../output/file-output.ts'
import { type HeldOutput, holdOutput } from '../output/held-output.ts'
import { createJsonSink } from '../output/json-sink.ts'
import { createJsonlSink } from '../output/jsonl-sink.ts'
import type { Measurements } from '../output/measurements.ts'
import type { Output } from '../output/stdout.ts'
import { createTextSink } from '../output/text-sink.ts'
import { isChecked, isIncomplete, lacksAnswer } from './answer-end.ts'
import type { Options } from './options.ts'
import { openReasoning } from './terminal/reasoning.ts'

interface AnswerOptions {
  readonly output: Output
  /** The output, when it is a file of `--output`. */
  readonly file?: FileOutput | undefined
  readonly options: Options
  readonly engine: Engine
  /** What the answer must satisfy. */
  readonly structure?: StructureRequest | undefined
  /** Before the first piece is handed over. */
  readonly onFirst: () => void
}

interface OpenedAnswer extends AnswerWriter {
  /** False of a whole answer that does not satisfy what could only be checked. */
  readonly isChecked: boolean
  /** The last characters of a structured answer. */
  readonly tail: string
}

const TAIL = 60

export function openAnswer(input: AnswerOptions): OpenedAnswer {
  const { file, options, structure } = input
  const held = heldOutput(input)
  const writer = chooseWriter(held === undefined ? input : { ...input, output: held })
  let text = ''
  const most = structure?.check === undefined ? TAIL : Number.POSITIVE_INFINITY
  const keep = (piece: string): void => {
    if (structure !== undefined) text = (text + piece).slice(-most)
  }
  let isValid = true
  return {
    sink: announcing(writer.sink, input.onFirst, keep),
    get tail() {
      return text.slice(-TAIL)
    },
    get isChecked() {
      return isValid
    },
    async finish(result: EngineResult, measured: Measurements) {
      const isComplete =
        result.finishReason !== 'aborted' && !lacksAnswer(result, options.think) && !isIncomplete(result)
      isValid = !isComplete || (await isChecked(structure, text))
      const isWhole = isComplete && isValid
      if (file !== undefined && !isWhole) return file.discard()
      // Half a document would be taken for one; events have told how far it came.
      if (structure !== undefined && !isWhole && !options.jsonl && held !== undefined) return held.flush()
      await writer.finish(result, measured)
      await held?.commit()
      file?.commit()
    },
    async fail(error: SpoutError) {
      if (file !== undefined) file.discard()
      else if (held === undefined) await writer.fail(error)
    },
  }
}

/** A structured answer leaves as a whole, but for a terminal, and for events. */
function heldOutput({ output, file, options, structure }: AnswerOptions): HeldOutput | undefined {
  if (structure === undefined || options.jsonl || isTerminal(file)) return undefined
  return holdOutput(output, structure.of.kind === 'items' && !options.json)
}

function isTerminal(file: FileOutput | undefined): boolean {
  return file === undefined ? Boolean(process.stdout.isTTY) : file.isTerminal
}

function chooseWriter({ output, file, options, engine, structure }: AnswerOptions): AnswerWriter {
  const { json, jsonl, think, color, newline } = options
  if (json || jsonl) {
    const create = json ? createJsonSink : createJsonlSink
    return create({
      output,
      engine,
      logprobs: options.logprobs !== undefined,
      hideReasoning: think === 'hide',
      structure,
    })
  }
  const terminal = isTerminal(file)
  const reasoning = think === 'only' ? think : openReasoning(think !== 'hide', color)
  return createTextSink({ output, terminal, newline, reasoning })
}

/** Tells when the first piece comes, of whatever kind, and each piece of the answer. */
function announcing(sink: AnswerSink, onFirst: () => void, onText: (text: string) => void): AnswerSink {
  let waiting = true
  const announce = (): void => {
    waiting = false
    onFirst()
  }
  return {
    token(id, text, logprobs) {
      if (waiting) announce()
      onText(text)
      return sink.token(id, text, logprobs)
    },
    lastPiece(text) {
      if (waiting) announce()
      onText(text)
      return sink.lastPiece(text)
    },
    reasoning(text) {
      if (waiting) announce()
      return sink.reasoning?.(text)
    },
  }
}
