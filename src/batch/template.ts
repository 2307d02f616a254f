/** `--template 'Translate: {text}'`: a prompt out of the fields of a line. */
import { SpoutError } from '../errors.ts'
import { RequestError } from '../openai/request-error.ts'
import { quote } from '../system/text-display.ts'

export interface PromptTemplate {
  readonly source: string
  /** Each once, in the order of the text. */
  readonly fields: readonly string[]
  /** @throws RequestError `missing_field` for a field that is not there, or is null. */
  fill(fields: Readonly<Record<string, unknown>>): string
}

/** The field of a plain line: the line. */
export const LINE_FIELD = 'line'

/** `{name}` is a field, `{{` and `}}` are braces. @throws SpoutError `usage` for a brace that is neither. */
export function parseTemplate(source: string): PromptTemplate {
  const parts = partsOf(source)
  const names = parts.flatMap((part) => (part.isField ? [part.text] : []))
  if (names.length === 0) {
    throw new SpoutError('usage', `template: ${quote(source, 60)} has no field`, {
      hint: `as in --template 'Translate: {${LINE_FIELD}}'`,
    })
  }
  return {
    source,
    fields: [...new Set(names)],
    fill: (fields) => parts.map(({ text, isField }) => (isField ? fieldText(text, fields) : text)).join(''),
  }
}

interface Part {
  readonly text: string
  readonly isField: boolean
}

const PART = /\{\{|\}\}|\{([^{}]+)\}|[^{}]+/y

function partsOf(source: string): Part[] {
  const parts: Part[] = []
  PART.lastIndex = 0
  while (PART.lastIndex < source.length) {
    const at = PART.lastIndex
    const found = PART.exec(source)
    if (found === null) {
      throw new SpoutError('usage', `template: a lone ${source[at]} in ${quote(source, 60)}`, {
        hint: `${source[at]}${source[at]} is a brace, {name} a field`,
      })
    }
    const [text, name] = found
    if (name !== undefined) parts.push({ text: name.trim(), isField: true })
    else parts.push({ text: text === '{{' ? '{' : text === '}}' ? '}' : text, isField: false })
  }
  return parts
}

function fieldText(name: string, fields: Readonly<Record<string, unknown>>): string {
  const value = Object.hasOwn(fields, name) ? fields[name] : undefined
  if (value === undefined)
    throw new RequestError('missing_field', `there is no field ${quote(name, 60)}`, name)
  if (value === null) throw new RequestError('missing_field', `the field ${quote(name, 60)} is null`, name)
  return typeof value === 'string' ? value : JSON.stringify(value)
}
