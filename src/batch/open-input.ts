/** An input, as far as it must be known before anything is loaded: its format, its columns, its first record. */
import { type InputFormat, tellFormat } from './input-format.ts'
import { type Line, readLines } from './line-reader.ts'
import { checkFields, type Input, openRecords, type Reading } from './records.ts'
import type { PromptTemplate } from './template.ts'

interface OpenInputOptions extends Reading {
  /** Of the file; `undefined` for stdin. */
  readonly name: string | undefined
  /** `undefined`: told by name and content. */
  readonly format: InputFormat | undefined
  readonly template: PromptTemplate | undefined
}

/**
 * Reads up to the first record, and no further.
 * @throws SpoutError `usage` for a template whose fields no line has, `data` for what is no input.
 */
export async function openInput(
  chunks: AsyncIterable<Uint8Array>,
  options: OpenInputOptions,
): Promise<Input> {
  const { name, template } = options
  const isText = ({ text, problem }: Line): boolean => problem === undefined && text.trim() !== ''
  const lines = await peek(readLines(chunks), isText)
  const format =
    options.format ?? (lines.found && tellFormat({ first: lines.found.text, name, template })) ?? 'lines'
  const input = await openRecords(lines.all, format, options)
  const records = await peek(input.records[Symbol.asyncIterator](), () => true)
  checkFields(input, template, records.found)
  return { ...input, records: { [Symbol.asyncIterator]: () => records.all } }
}

/** The first item that is wanted, and all of them all the same. */
async function peek<T>(
  source: AsyncIterator<T>,
  isWanted: (item: T) => boolean,
): Promise<{ readonly found: T | undefined; readonly all: AsyncIterator<T> }> {
  const read: T[] = []
  let found: T | undefined
  for (let next = await source.next(); !next.done; next = await source.next()) {
    read.push(next.value)
    if (!isWanted(next.value)) continue
    found = next.value
    break
  }
  return { found, all: replay(read, source) }
}

async function* replay<T>(read: T[], source: AsyncIterator<T>): AsyncGenerator<T, void, void> {
  for (let item = read.shift(); item !== undefined; item = read.shift()) yield item
  for (let next = await source.next(); !next.done; next = await source.next()) yield next.value
}
