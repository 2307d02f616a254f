/** What an input asks, one record at a time: a line, or a row of cells that may be several lines. */
import { SpoutError } from '../errors.ts'
import { RequestError } from '../openai/request-error.ts'
import { quote } from '../system/text-display.ts'
import { CsvReader, type Delimiter } from './csv.ts'
import { DELIMITERS, type InputFormat, PROMPT_FIELD } from './input-format.ts'
import { type Line, MAX_LINE_BYTES } from './line-reader.ts'
import { LINE_FIELD, type PromptTemplate } from './template.ts'

export interface InputRecord {
  /** Among the records of the whole input, from 0. Blank lines are no records. */
  readonly index: number
  /** Where it begins, from 1. */
  readonly line: number
  /** As it stands in the input, without its last line end. */
  readonly raw: string
  /** Bytes of the input up to and with this record. */
  readonly after: number
  /** The line with its end and its mark, where the input is read as it stands. */
  readonly written?: string
  /** Of rows. */
  readonly cells?: readonly string[]
  readonly error?: RequestError
}

export interface Reading {
  /** Blank lines of plain text are records, too, and lines know how they are written. Default false. */
  readonly asItStands?: boolean | undefined
}

export interface Input {
  readonly format: InputFormat
  /** The names of the columns, of rows. */
  readonly header: readonly string[] | undefined
  readonly records: AsyncIterable<InputRecord>
}

/**
 * The records of lines whose format is known.
 * @throws SpoutError `data` for a header that names a column twice.
 */
export async function openRecords(
  lines: AsyncIterator<Line>,
  format: InputFormat,
  { asItStands = false }: Reading = {},
): Promise<Input> {
  if (format !== 'csv' && format !== 'tsv') {
    const records = lineRecords(lines, { asItStands, blank: asItStands && format === 'lines' })
    return { format, header: undefined, records }
  }
  const delimiter = DELIMITERS[format]
  const header = await readHeader(lines, delimiter)
  return { format, header, records: rowRecords(lines, header ?? [], delimiter) }
}

async function* lineRecords(
  lines: AsyncIterator<Line>,
  { asItStands, blank }: { readonly asItStands: boolean; readonly blank: boolean },
): AsyncGenerator<InputRecord, void, void> {
  let index = 0
  for await (const line of each(lines)) {
    const { number, text: raw, after, ending, isMarked, problem } = line
    if (!blank && problem === undefined && raw.trim() === '') continue
    const written = asItStands ? { written: `${isMarked ? '\uFEFF' : ''}${raw}${ending}` } : {}
    yield { index: index++, line: number, raw, after, ...written, ...problemOf(line) }
  }
}

/** A header may be several lines, too. `undefined` where there is none. */
async function readHeader(lines: AsyncIterator<Line>, delimiter: Delimiter): Promise<string[] | undefined> {
  const reader = new CsvReader(delimiter)
  for (let next = await lines.next(); !next.done; next = await lines.next()) {
    const { text, ending, problem } = next.value
    if (problem !== undefined) throw new SpoutError('data', `header: ${problem.message}`)
    if (!reader.isOpen && text.trim() === '') continue
    const cells = reader.push(text, ending)
    if (cells === undefined) continue
    const twice = cells.find((name, i) => cells.indexOf(name) !== i)
    if (twice !== undefined)
      throw new SpoutError('data', `header: two columns are called ${quote(twice, 60)}`)
    return cells
  }
  if (reader.isOpen) throw new SpoutError('data', 'header: a quoted cell is not closed')
  return undefined
}

async function* rowRecords(
  lines: AsyncIterator<Line>,
  header: readonly string[],
  delimiter: Delimiter,
): AsyncGenerator<InputRecord, void, void> {
  const rows = new RowReader(header.length, delimiter)
  for await (const line of each(lines)) {
    const record = rows.push(line)
    if (record !== undefined) yield record
  }
  const last = rows.end()
  if (last !== undefined) yield last
}

class RowReader {
  readonly #columns: number
  readonly #reader: CsvReader
  #index = 0
  /** The lines of the row so far. */
  #raw = ''
  #lastEnding = ''
  #line = 0
  #after = 0
  #problem: RequestError | undefined

  constructor(columns: number, delimiter: Delimiter) {
    this.#columns = columns
    this.#reader = new CsvReader(delimiter)
  }

  push(line: Line): InputRecord | undefined {
    const isFirst = !this.#reader.isOpen
    if (isFirst && line.problem === undefined && line.text.trim() === '') return undefined
    if (isFirst) this.#line = line.number
    this.#after = line.after
    this.#raw += this.#lastEnding + line.text
    this.#lastEnding = line.ending
    this.#problem ??= problemOf(line).error
    const cells = this.#reader.push(line.text, line.ending)
    if (line.problem?.code === 'line_too_long') return this.#cut([])
    if (cells !== undefined) return this.#cut(cells)
    if (this.#raw.length <= MAX_LINE_BYTES) return undefined
    const message = 'the row is longer than 8 MiB; a quote that is not closed?'
    this.#problem = new RequestError('line_too_long', message)
    this.#raw = this.#raw.slice(0, 100)
    return this.#cut([])
  }

  end(): InputRecord | undefined {
    if (!this.#reader.isOpen) return undefined
    this.#problem ??= new RequestError('invalid_row', 'a quoted cell is not closed')
    return this.#cut(this.#reader.drop())
  }

  #cut(cells: readonly string[]): InputRecord {
    this.#reader.drop()
    const error = this.#problem ?? this.#miscount(cells.length)
    const record = { index: this.#index++, line: this.#line, raw: this.#raw, after: this.#after, cells }
    this.#raw = ''
    this.#lastEnding = ''
    this.#problem = undefined
    return error === undefined ? record : { ...record, error }
  }

  #miscount(cells: number): RequestError | undefined {
    if (cells === this.#columns) return undefined
    return new RequestError('invalid_row', `the row has ${cells} cells, the header ${this.#columns}`)
  }
}

function problemOf({ problem }: Line): { readonly error?: RequestError } {
  return problem === undefined ? {} : { error: new RequestError(problem.code, problem.message) }
}

function each<T>(iterator: AsyncIterator<T>): AsyncIterable<T> {
  return { [Symbol.asyncIterator]: () => iterator }
}

/**
 * Refuses a template whose fields no line can have, before anything is loaded.
 * @param first the first record, where there is one
 * @throws SpoutError `usage` naming the fields there are.
 */
export function checkFields(
  { format, header }: Pick<Input, 'format' | 'header'>,
  template: PromptTemplate | undefined,
  first: InputRecord | undefined,
): void {
  const known = header ?? (format === 'lines' ? [LINE_FIELD] : fieldsOf(first))
  if (template === undefined) {
    if (header === undefined || header.includes(PROMPT_FIELD)) return
    throw new SpoutError('usage', `input: no column is called ${PROMPT_FIELD}; there are ${list(header)}`, {
      hint: `--template '{${header[0] ?? 'column'}}'`,
    })
  }
  const unknown = template.fields.find((field) => known?.includes(field) === false)
  if (unknown === undefined) return
  throw new SpoutError('usage', `template: there is no field ${quote(unknown, 60)}`, {
    hint: `the fields are ${list(known!)}`,
  })
}

/** The fields of a JSON object; `undefined` where it is none. */
function fieldsOf(record: InputRecord | undefined): string[] | undefined {
  try {
    const value: unknown = JSON.parse(record?.raw ?? '')
    if (typeof value === 'string') return [LINE_FIELD]
    return typeof value === 'object' && value !== null ? Object.keys(value) : undefined
  } catch {
    return undefined
  }
}

function list(names: readonly string[]): string {
  const shown = names.slice(0, 20).map((name) => `{${name}}`)
  return names.length > shown.length ? `${shown.join(', ')}, …` : shown.join(', ')
}
