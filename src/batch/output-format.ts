/** How answers are written: every record becomes one piece of text, which ends with a line feed. */
import { usageOf } from '../openai/choices.ts'
import { toJson } from '../system/text-display.ts'
import { csvRow, type Delimiter } from './csv.ts'
import { openaiLine } from './openai-line.ts'
import { errorObject, type Outcome } from './outcome.ts'
import type { Task } from './tasks.ts'

const OUTPUT_FORMATS = ['json', 'csv', 'tsv', 'text'] as const
export type OutputFormat = (typeof OUTPUT_FORMATS)[number]

export interface OutputOptions {
  readonly format: OutputFormat
  /** The record goes before its answer. Rows have it anyway. */
  readonly withInput: boolean
  /** The input's columns, of rows. */
  readonly header: readonly string[] | undefined
  /** What the answers name as their model. */
  readonly model: () => string
  /** Seconds since 1970 that OpenAI's `created` says: not the time, or no two runs would say the same. */
  readonly created: number
}

interface OutputWriter {
  /** Before the first answer; may be nothing. */
  readonly head: string
  write(outcome: Outcome): string
}

export function createOutputWriter(options: OutputOptions): OutputWriter {
  const { format } = options
  if (format === 'text') return { head: '', write: textLine }
  if (format === 'json') return { head: '', write: (outcome) => `${toJson(jsonOf(outcome, options))}\n` }
  return rowWriter(format === 'csv' ? ',' : '\t', options)
}

function jsonOf(outcome: Outcome, options: OutputOptions): object {
  const { task } = outcome
  if (task.form === 'plain') return plainLine(outcome, options)
  const line = openaiLine(outcome, task.form, { model: options.model(), created: options.created })
  return options.withInput ? { ...line, input: inputOf(task) } : line
}

function plainLine({ task, answer, error }: Outcome, { withInput, header }: OutputOptions): object {
  const { record, id } = task
  const beginning = {
    index: record.index,
    ...(id === undefined ? {} : { id }),
    ...(withInput ? { input: inputOf(task, header) } : {}),
  }
  if (answer === undefined) return { ...beginning, error: errorObject(error!, record.line) }
  return {
    ...beginning,
    text: answer.text,
    ...(answer.reasoning === '' ? {} : { reasoning: answer.reasoning }),
    finish_reason: answer.finishReason,
    usage: usageOf(answer),
    ...(answer.logprobs === undefined ? {} : { logprobs: answer.logprobs }),
  }
}

/** The record as a value: an object, a row by its columns, or the line. */
function inputOf({ record }: Task, header?: readonly string[]): unknown {
  const { cells, raw } = record
  if (cells !== undefined && cells.length === header?.length) {
    return Object.fromEntries(header.map((name, i) => [name, cells[i]]))
  }
  try {
    return /^\s*[{"]/.test(raw) ? (JSON.parse(raw) as unknown) : raw
  } catch {
    return raw
  }
}

/** One line, whatever is in the answer. An error is an empty line: what it was is told elsewhere. */
function textLine({ answer }: Outcome): string {
  return `${(answer?.text ?? '').replace(/[\\\n\r]/g, (character) => ESCAPES[character]!)}\n`
}

const ESCAPES: Readonly<Record<string, string>> = { '\\': '\\\\', '\n': '\\n', '\r': '\\r' }

/** The columns that an answer adds to a row. */
const ANSWER_COLUMNS = ['text', 'finish_reason', 'error'] as const

function rowWriter(delimiter: Delimiter, { header, withInput }: OutputOptions): OutputWriter {
  const own = header ?? ['index', 'id', ...(withInput ? ['input'] : [])]
  return {
    head: csvRow([...own, ...ANSWER_COLUMNS.map((name) => freeName(name, own))], delimiter),
    write({ task, answer, error }) {
      const { record, id } = task
      const before =
        header === undefined ? [`${record.index}`, `${id ?? ''}`] : padded(record.cells ?? [], header)
      const input = header === undefined && withInput ? [record.raw] : []
      const after = [answer?.text ?? '', answer?.finishReason ?? '', error === undefined ? '' : error.message]
      return csvRow([...before, ...input, ...after], delimiter)
    },
  }
}

/** A row that has too few cells, or too many, still has one for each column. */
function padded(cells: readonly string[], header: readonly string[]): string[] {
  return header.map((_, i) => cells[i] ?? '')
}

/** A name that no column of the input has. */
function freeName(name: string, taken: readonly string[]): string {
  return taken.includes(name) ? freeName(`answer_${name}`, taken) : name
}
