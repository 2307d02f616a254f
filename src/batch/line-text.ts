/** The text of a record: the line, of JSON a text or its field `text`, or what a template makes of the fields. */
import { RequestError } from '../openai/request-error.ts'
import type { Input, InputRecord } from './records.ts'
import { LINE_FIELD, type PromptTemplate } from './template.ts'

export interface LineText {
  readonly text: string
  /** As a JSON line has it: `custom_id`, else `id`. */
  readonly id?: string | number
  /** The fields of a JSON object. */
  readonly fields?: Readonly<Record<string, unknown>>
}

/** @throws RequestError for a line without one */
export function lineText(
  { raw }: InputRecord,
  { format, template }: Pick<Input, 'format'> & { readonly template: PromptTemplate | undefined },
): LineText {
  const value = format === 'jsonl' ? parse(raw) : raw
  if (typeof value === 'string') return { text: template?.fill({ [LINE_FIELD]: value }) ?? value }
  const fields = value as Readonly<Record<string, unknown>>
  const id = fields.custom_id ?? fields.id
  const hasId = typeof id === 'string' || typeof id === 'number'
  return { text: template?.fill(fields) ?? fieldText(fields), fields, ...(hasId && { id }) }
}

function parse(raw: string): unknown {
  let value: unknown
  try {
    value = JSON.parse(raw)
  } catch (cause) {
    throw new RequestError('invalid_json', `not JSON: ${(cause as Error).message}`)
  }
  if (typeof value === 'string' || (typeof value === 'object' && value !== null && !Array.isArray(value)))
    return value
  throw new RequestError('invalid_json', 'neither an object nor a text')
}

function fieldText({ text, prompt }: Readonly<Record<string, unknown>>): string {
  const found = text ?? prompt
  if (typeof found === 'string') return found
  throw new RequestError(
    'missing_field',
    'it has no text of the name text; a --template names its fields',
    'text',
  )
}
