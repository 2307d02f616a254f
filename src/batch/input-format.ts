/** What an input is, told by its first line that is not blank and by its name: never by what a pipe happens to deliver first. */
import { SpoutError } from '../errors.ts'
import { CsvReader, type Delimiter } from './csv.ts'
import { LINE_FIELD, type PromptTemplate } from './template.ts'

export const INPUT_FORMATS = ['jsonl', 'csv', 'tsv', 'lines'] as const
export type InputFormat = (typeof INPUT_FORMATS)[number]

/** Of rows: what stands between the cells. */
export const DELIMITERS = { csv: ',', tsv: '\t' } as const satisfies Record<'csv' | 'tsv', Delimiter>

/** The column that is the prompt where no template says otherwise. */
export const PROMPT_FIELD = 'prompt'

const EXTENSIONS: Readonly<Record<string, InputFormat>> = {
  ...{ jsonl: 'jsonl', ndjson: 'jsonl', csv: 'csv', tsv: 'tsv', tab: 'tsv' },
}

interface FormatClues {
  /** The first line that is not blank. */
  readonly first: string
  /** The file's name; `undefined` for stdin. */
  readonly name: string | undefined
  readonly template: PromptTemplate | undefined
}

/** @throws SpoutError `data` for a JSON array, which is not lines. */
export function tellFormat({ first, name = '', template }: FormatClues): InputFormat {
  if (isWholeArray(first)) {
    throw new SpoutError('data', 'input: it is a JSON array, not a JSON value per line', {
      hint: `jq -c '.[]' makes lines of it; --input lines takes it for text`,
    })
  }
  const byName = EXTENSIONS[/\.(\w+)$/.exec(name)?.[1]?.toLowerCase() ?? '']
  if (byName !== undefined) return byName
  if (/^\s*\{\s*"/.test(first) || isJsonText(first)) return 'jsonl'
  for (const format of ['tsv', 'csv'] as const) if (isHeader(first, format, template)) return format
  return 'lines'
}

function isWholeArray(first: string): boolean {
  const text = first.trim()
  return text === '[' || (text.startsWith('[') && Array.isArray(parsed(text)))
}

function isJsonText(first: string): boolean {
  return first.trimStart().startsWith('"') && typeof parsed(first) === 'string'
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** A line is surely a header when it names what is asked for: the fields of the template, or the prompt among others. */
function isHeader(first: string, format: 'csv' | 'tsv', template: PromptTemplate | undefined): boolean {
  const cells = new CsvReader(DELIMITERS[format]).push(first, '')
  if (cells === undefined) return false
  const wanted = template?.fields ?? [PROMPT_FIELD]
  if (template === undefined && cells.length < 2) return false
  return !wanted.includes(LINE_FIELD) && wanted.every((field) => cells.includes(field))
}
