/** `--samples n --json`: several answers to one prompt, in one document. */
import type { EncodedPrompt } from '../engine/encode-prompt.ts'
import type { Engine, EngineResult, RequestFacts } from '../engine/engine.ts'
import type { GenerateRequest } from '../engine/request.ts'
import { collectAnswer } from '../output/collected-answer.ts'
import type { FileOutput } from '../output/file-output.ts'
import { samplesDocument } from '../output/json-document.ts'
import { measure } from '../output/measurements.ts'
import { togetherText } from '../output/run-facts.ts'
import type { Output } from '../output/stdout.ts'
import { durationText } from '../system/quantities.ts'
import { toJson } from '../system/text-display.ts'
import { isChecked, structureEnd } from './answer-end.ts'
import type { Context } from './context.ts'
import type { Options } from './options.ts'
import { writeLine } from './terminal/messages.ts'
import { makePrefillListener } from './terminal/prefill-text.ts'
import { writeStatistics } from './terminal/statistics.ts'
import type { StatusLine } from './terminal/status-line.ts'
import { makeTrace } from './terminal/trace-lines.ts'

interface SamplesInput {
  readonly options: Options
  readonly context: Context
  readonly file: FileOutput | undefined
  readonly request: GenerateRequest
  readonly encoded: EncodedPrompt | undefined
  readonly engine: Engine
  readonly status: StatusLine
  /** Told before anything is computed. */
  readonly onStart: ((facts: RequestFacts) => void) | undefined
}

/** @returns the figures of each, in their order */
export async function answerSamples(input: SamplesInput): Promise<readonly EngineResult[]> {
  const { options, context, file, request, encoded, engine, status } = input
  const { signal } = context.interrupts
  const loadedAt = performance.now()
  const hideReasoning = options.think === 'hide'
  const answers = Array.from({ length: options.samples! }, () =>
    collectAnswer({ logprobs: options.logprobs !== undefined, hideReasoning }),
  )
  context.interrupts.listen()
  const ios = answers.map(({ sink }, i) => ({
    ...{ sink, signal, encoded, trace: makeTrace(options.trace) },
    ...(i === 0 && { onStart: input.onStart, onPrefill: makePrefillListener((text) => status.show(text)) }),
  }))
  let results: readonly EngineResult[]
  try {
    results = await engine.sample(request, ios)
  } catch (error) {
    file?.discard()
    throw error
  } finally {
    status.clear()
  }
  const whole = answers.map((answer, i) => answer.whole(results[i]!, measure(results[i]!, loadedAt)))
  await write(`${toJson(samplesDocument(engine, whole))}\n`, {
    file,
    stdout: context.stdout,
    isWhole: !signal.aborted,
  })
  if (options.stats) {
    await writeStatistics({ engine, result: results[0]!, loadedAt, color: options.color })
    sayTotals(engine, results, loadedAt)
  }
  signal.throwIfAborted()
  // Of the first that is short; the document has them all.
  for (const [i, result] of results.entries()) {
    const { text } = whole[i]!
    const checked = await isChecked(request.structure, text)
    const shortEnd = structureEnd(result, engine, { tail: tailOf(text), isChecked: checked })
    if (shortEnd !== undefined) throw shortEnd
  }
  return results
}

function tailOf(text: string): string {
  return text.slice(-TAIL)
}

const TAIL = 40

interface Place {
  readonly file: FileOutput | undefined
  readonly stdout: Output
  readonly isWhole: boolean
}

async function write(text: string, { file, stdout, isWhole }: Place): Promise<void> {
  if (file !== undefined && !isWhole) return file.discard()
  const output = file ?? stdout
  await output.write(text)
  await output.flush()
  file?.commit()
}

function sayTotals(engine: Engine, results: readonly EngineResult[], loadedAt: number): void {
  const tokens = results.reduce((sum, { completionTokens }) => sum + completionTokens, 0)
  const ms = Math.max(...results.map(({ timings }) => timings.endedAt)) - loadedAt
  const rate = ms > 0 ? `, ${((1000 * tokens) / ms).toFixed(1)} tokens/s` : ''
  writeLine(
    `${results.length} answers, ${tokens} tokens in ${durationText(ms)}${rate}; written ${togetherText(engine)}`,
  )
}
