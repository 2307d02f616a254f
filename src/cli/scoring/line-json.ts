/** What is told of a line, as JSON: the same fields by all verbs. */
import { toJson } from '../../system/text-display.ts'
import type { Line } from './line-run.ts'

/** Ends with a line feed. @param told of the line */
export function lineJson({ record, line }: Line<unknown>, told: object): string {
  const id = line.id === undefined ? {} : { id: line.id }
  return `${toJson({ line: record.line, ...id, ...told, text: line.text })}\n`
}
