/** The value of a structured answer, as JSON text: numbers stay as they were written, whatever their size. */
import type { StructureRequest } from '../engine/structure-request.ts'
import { isJson } from '../engine/structure-request.ts'
import { minifyJson } from '../grammar/json/minify.ts'
import { escapeJson } from '../system/text-display.ts'

/** In one line, safe to show. @returns `undefined` where the structure is none of JSON, or the text is no whole one. */
export function jsonValueOf(structure: StructureRequest | undefined, text: string): string | undefined {
  if (structure === undefined || !isJson(structure.of)) return undefined
  const documents = structure.of.kind === 'items' ? text.split('\n').slice(0, -1) : [text]
  try {
    for (const document of documents) JSON.parse(document)
  } catch {
    return undefined
  }
  const values = documents.map(minifyJson)
  return escapeJson(structure.of.kind === 'items' ? `[${values.join()}]` : values[0]!)
}
