/** What a structure is, in lines for people: what is enforced, and what follows from it. */
import { forcedStart } from './check-text.ts'
import { isArray, isObject, type Json, parseJson } from './json/json-text.ts'
import { checkStructure, type Structure } from './structure.ts'

/** Keywords that constrain nothing. */
const REMARKS = new Set([
  ...['$schema', '$id', '$comment', '$anchor', '$defs', 'definitions', 'title', 'description', 'default'],
  ...[
    'examples',
    'deprecated',
    'readOnly',
    'writeOnly',
    'contentEncoding',
    'contentMediaType',
    'contentSchema',
  ],
])
/** Keywords whose values are schemas by name. */
const NAMED = new Set(['properties', 'patternProperties', '$defs', 'definitions', 'dependentSchemas'])
const MOST_LINES = 40

/** @throws SpoutError as `compileStructure` does: a structure that cannot be enforced is not explained. */
export function explainStructure(structure: Structure): string[] {
  checkStructure(structure)
  const start = forcedStart(structure)
  return [
    `structure  ${kindOf(structure)}`,
    ...enforced(structure).map((line, i) => `${i === 0 ? 'enforced ' : '         '}  ${line}`),
    ...notes(structure).map((line, i) => `${i === 0 ? 'notes    ' : '         '}  ${line}`),
    `begins     ${start === '' ? 'in more ways than one' : JSON.stringify(start)}`,
  ]
}

function kindOf(structure: Structure): string {
  switch (structure.kind) {
    case 'schema':
      return `JSON Schema, ${Buffer.byteLength(structure.schema)} bytes`
    case 'items':
      return 'documents of a JSON Schema, each on a line of its own'
    case 'calls':
      return 'calls of tools'
    case 'regex':
      return 'a regular expression, of the whole answer'
    case 'choice':
      return `one of ${structure.choices.length} texts`
    case 'grammar':
      return `a grammar: ${structure.notation === 'lark' ? 'Lark' : structure.notation.toUpperCase()}`
    default:
      return structure.kind === 'json' ? 'any JSON' : `any JSON ${structure.kind}`
  }
}

function enforced(structure: Structure): string[] {
  if (structure.kind !== 'schema' && structure.kind !== 'items') return []
  const lines: string[] = []
  collect(parseJson(structure.schema, 'schema'), '', lines)
  if (lines.length <= MOST_LINES) return lines
  return [...lines.slice(0, MOST_LINES), `and of ${lines.length - MOST_LINES} more subschemas`]
}

/** The keywords of each subschema, by its pointer. */
function collect(schema: Json, pointer: string, lines: string[]): void {
  if (isArray(schema)) for (const [i, each] of schema.entries()) collect(each, `${pointer}/${i}`, lines)
  if (!isObject(schema)) return
  const keywords = [...schema.keys()].filter((keyword) => !REMARKS.has(keyword))
  if (keywords.length > 0) lines.push(`${pointer === '' ? '(all)' : pointer}: ${keywords.join(', ')}`)
  for (const [keyword, value] of schema) {
    if (NAMED.has(keyword) && isObject(value))
      for (const [name, each] of value) collect(each, `${pointer}/${keyword}/${name}`, lines)
    else if (!['enum', 'const', 'default', 'examples', 'required'].includes(keyword))
      collect(value, `${pointer}/${keyword}`, lines)
  }
}

function notes(structure: Structure): string[] {
  if (!('options' in structure) || structure.options === undefined) return []
  const { closed, style = 'auto' } = structure.options
  return [
    closed
      ? 'objects that do not say otherwise have no keys but those they name (--open-objects)'
      : 'objects may have other keys than those they name',
    'keys come in the order of the schema, free ones last',
    style === 'auto' ? 'spaces are as the model begins, the same to the end' : `spaces are ${style}`,
  ]
}
