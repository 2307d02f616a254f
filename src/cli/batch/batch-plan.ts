/** `spout batch --dry-run`: what is in the lines, and whether they fit, on stdout. */
import type { InputRecord } from '../../batch/records.ts'
import { isIn, WHOLE } from '../../batch/shard.ts'
import type { TaskReader } from '../../batch/tasks.ts'
import { DEFAULT_RAW_TOKENS, type GenerateRequest } from '../../engine/request.ts'
import { SpoutError } from '../../errors.ts'
import { openPromptMeter, type PromptMeter } from '../../open/plan-run.ts'
import { toJson } from '../../system/text-display.ts'
import type { Context } from '../context.ts'
import { engineOptions } from '../engine-options.ts'
import { columns, type Row } from '../help/columns.ts'
import { asSpoutError } from '../terminal/messages.ts'
import { type BatchJob, readerOf } from './batch-job.ts'

interface Tally {
  readonly format: string
  lines: number
  readonly errors: { readonly line: number; readonly message: string }[]
  errorCount: number
  tooLong: number
  promptTokens: number
  longest: { readonly line: number; readonly tokens: number } | undefined
  /** Of answers that are as long as they may be; `undefined` when one has no limit but the context. */
  mostTokens: number
}

/** Errors that are shown. */
const MOST_SHOWN = 5

/** @throws SpoutError `data` after the report, when some lines would fail. */
export async function planBatch(job: BatchJob, context: Context): Promise<void> {
  const { options, input } = job
  const { stdout } = context
  const reader = readerOf(job)
  const meter = await openPromptMeter(engineOptions(options, context))
  const tally: Tally = {
    ...{ format: input.format, lines: 0, errors: [], errorCount: 0, tooLong: 0 },
    ...{ promptTokens: 0, longest: undefined, mostTokens: 0 },
  }
  for await (const record of input.records) {
    context.interrupts.signal.throwIfAborted()
    if (isIn(options.shard ?? WHOLE, record.index)) count(tally, record, { meter, reader })
    else reader.pass(record)
  }
  await stdout.write(options.json ? `${toJson(documentOf(tally, meter))}\n` : textOf(tally, meter))
  await stdout.flush()
  const failing = tally.errorCount + tally.tooLong
  if (failing > (options.maxErrors ?? 0))
    throw new SpoutError('data', `batch: ${linesText(failing)} would have errors`)
}

function count(
  tally: Tally,
  record: InputRecord,
  { meter, reader }: { readonly meter: PromptMeter; readonly reader: TaskReader },
): void {
  tally.lines++
  const { request, error } = reader.read(record)
  const measured = request === undefined ? error! : measure(request, meter)
  if (typeof measured !== 'number') {
    tally.errorCount++
    if (tally.errors.length < MOST_SHOWN) tally.errors.push({ line: record.line, message: measured.message })
    return
  }
  const tokens = measured
  tally.promptTokens += tokens
  if (tokens > (tally.longest?.tokens ?? 0)) tally.longest = { line: record.line, tokens }
  const room = (meter.contextLength ?? Number.POSITIVE_INFINITY) - tokens
  if (room <= 0) tally.tooLong++
  else tally.mostTokens += Math.min(room, limitOf(request!, meter))
}

/** Tokens of the prompt, or why it has none. */
function measure(request: GenerateRequest, meter: PromptMeter): number | SpoutError {
  try {
    return meter.measure(request)
  } catch (cause) {
    return asSpoutError(cause)
  }
}

function limitOf({ maxTokens, raw }: GenerateRequest, { hasChatTemplate }: PromptMeter): number {
  const limit = maxTokens ?? (hasChatTemplate && !raw ? 0 : DEFAULT_RAW_TOKENS)
  return limit === 0 ? Number.POSITIVE_INFINITY : limit
}

function textOf(tally: Tally, { model, dtype, contextLength }: PromptMeter): string {
  const { format, lines, errors, errorCount, tooLong, promptTokens, longest, mostTokens } = tally
  const rows: Row[] = [
    ['model', `${model} (${dtype})`],
    ['input', `${linesText(lines)}, ${FORMAT_NAMES[format] ?? format}`],
    ['prompts', `${promptTokens} tokens`],
    ['longest', longest === undefined ? 'none' : `${longest.tokens} tokens, line ${longest.line}`],
    ['context', contextLength === undefined ? 'unknown' : `${contextLength} tokens`],
    ['too long', linesText(tooLong)],
    ['errors', linesText(errorCount)],
    ...errors.map(({ line, message }): Row => ['', `line ${line}: ${message}`]),
    [
      'answers',
      Number.isFinite(mostTokens) ? `${mostTokens} tokens at most` : 'as long as they get; -n limits them',
    ],
  ]
  return `${columns(rows, Number.POSITIVE_INFINITY).replace(/^ {2}/gm, '')}\n`
}

const FORMAT_NAMES: Readonly<Record<string, string>> = {
  jsonl: 'JSON lines',
  csv: 'CSV',
  tsv: 'TSV',
  lines: 'plain lines',
}

function linesText(lines: number): string {
  return lines === 1 ? '1 line' : `${lines} lines`
}

function documentOf(tally: Tally, { model, dtype, contextLength }: PromptMeter): object {
  const { format, lines, errors, errorCount, tooLong, promptTokens, longest, mostTokens } = tally
  return {
    model,
    dtype,
    input: format,
    lines,
    prompt_tokens: promptTokens,
    longest: longest ?? null,
    context_length: contextLength ?? null,
    too_long: tooLong,
    errors: errorCount,
    first_errors: errors,
    most_completion_tokens: Number.isFinite(mostTokens) ? mostTokens : null,
  }
}
