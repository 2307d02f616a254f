/** What filtering, ranking and scoring lines have in common: an engine that is opened for the first line, and figures. */
import { type JudgedLine, judgeLines } from '../../batch/judge-lines.ts'
import { type LineText, lineText } from '../../batch/line-text.ts'
import type { Input, InputRecord } from '../../batch/records.ts'
import type { Engine } from '../../engine/engine.ts'
import { runsText, togetherText } from '../../output/run-facts.ts'
import { openBatchEngine } from '../batch/batch-engine.ts'
import type { Context } from '../context.ts'
import type { LineOptions } from '../scoring-flags.ts'
import { asSpoutError, writeLine } from '../terminal/messages.ts'
import { loadDim } from '../terminal/style.ts'
import { LineErrors } from './line-errors.ts'

/** What is known of a line. */
export interface Line<T> {
  readonly record: InputRecord
  readonly line: LineText
  readonly verdict: T
}

interface LineRunParts<T> {
  readonly input: Input
  readonly options: LineOptions
  readonly context: Context
  /** Once, before the first line. */
  readonly prepare: (engine: Engine, signal: AbortSignal) => Promise<LineWorker<T>>
  /** In the order of the input: see `judgeLines`. */
  readonly take: (line: Line<T>) => Promise<void> | boolean | undefined
  /** Errors are not told. */
  readonly silent?: boolean
}

interface LineWorker<T> {
  /** Tokens that were computed for it among what it gives. */
  judge(line: LineText, signal: AbortSignal): Promise<T & { readonly tokens: number }>
}

export interface LineRunEnd {
  readonly errors: LineErrors
  readonly engine: Engine | undefined
  readonly lines: number
}

const DEFAULT_PARALLEL = 32

/** @throws the reason of a signal that ended it, once what was told is written */
export async function runLines<T>(parts: LineRunParts<T>): Promise<LineRunEnd> {
  const { input, options, context, take } = parts
  const { signal } = context.interrupts
  const run = new LineRun(parts)
  try {
    await judgeLines({
      ...{ records: input.records, signal, asSpoutError },
      parallel: options.parallel ?? DEFAULT_PARALLEL,
      open: () => run.open(),
      judge: (record, lineSignal) => run.judge(record, lineSignal),
      take: (line) => (line.error === undefined ? take(line.verdict!) : run.tell(line)),
    })
    await context.stdout.flush()
  } finally {
    context.interrupts.release()
  }
  if (options.stats) await run.writeStatistics()
  signal.throwIfAborted()
  return run.end
}

class LineRun<T> {
  readonly #parts: LineRunParts<T>
  readonly #errors = new LineErrors()
  #opening: Promise<void> | undefined
  #worker: LineWorker<T> | undefined
  #engine: Engine | undefined
  #startedAt = 0
  #lines = 0
  #tokens = 0

  constructor(parts: LineRunParts<T>) {
    this.#parts = parts
  }

  get end(): LineRunEnd {
    return { errors: this.#errors, engine: this.#engine, lines: this.#lines }
  }

  async judge(record: InputRecord, signal: AbortSignal): Promise<Line<T>> {
    const { input, options } = this.#parts
    const line = lineText(record, { format: input.format, template: options.template })
    const verdict = await this.#worker!.judge(line, signal)
    this.#lines++
    this.#tokens += verdict.tokens
    return { record, line, verdict }
  }

  tell(line: JudgedLine<unknown>): undefined {
    this.#errors.tell(line, this.#parts.silent)
  }

  /** The engine, once. */
  open(): Promise<void> {
    this.#opening ??= this.#open()
    return this.#opening
  }

  async #open(): Promise<void> {
    const { options, context, prepare } = this.#parts
    this.#engine = await openBatchEngine(options, context, { scores: true, joins: true })
    this.#worker = await prepare(this.#engine, context.interrupts.signal)
    this.#startedAt = performance.now()
  }

  async writeStatistics(): Promise<void> {
    const dim = await loadDim(this.#parts.options.color)
    for (const line of this.#statistics()) process.stderr.write(`${dim(line)}\n`)
  }

  #statistics(): string[] {
    if (this.#engine === undefined) return ['model     none was needed']
    const seconds = (performance.now() - this.#startedAt) / 1000
    const { model } = this.#engine
    return [
      `model     ${model.id} (${model.dtype}), ${runsText(model.runs)}`,
      `lines     ${this.#lines} in ${seconds.toFixed(2)} s, ${(this.#lines / seconds).toFixed(1)} lines/s`,
      `computed  ${this.#tokens} tokens, ${(this.#tokens / seconds).toFixed(1)} tok/s`,
      `together  ${togetherText(this.#engine)}`,
    ]
  }
}

/** For `--verbose`: what runs. */
export function sayWhatJudges({ model }: Engine): void {
  writeLine(`runs: ${model.id} (${model.dtype}), ${runsText(model.runs)}`)
}
