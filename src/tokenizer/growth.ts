/**
 * Bounds on what the steps of a tokenizer.json may make of a text. A step that writes `aa` for `a` doubles a text; forty of them
 * would fill any memory. No tokenizer in use makes a text more than some twenty times as long (NFKD of ﷺ: 18).
 */
import { SpoutError } from '../errors.ts'
import type { Pattern } from './pattern.ts'

/** How long the results of all steps together may be. @param length of the text before the first step. */
export function mostLength(length: number): number {
  return 64 * length + 4096
}

/** @throws SpoutError `config` for a result that is longer. */
export function checkLength(length: number, most: number): void {
  if (length > most)
    throw new SpoutError('config', 'tokenizer.json: its steps make the text many times as long')
}

/** Replaces all matches, and stops before the result is longer than it may be. */
export function replaceWithin(
  text: string,
  { pattern, content, most }: { readonly pattern: Pattern; readonly content: string; readonly most: number },
): string {
  let length = text.length
  return text.replaceAll(pattern as string, (match) => {
    length += content.length - match.length
    checkLength(length, most)
    return content
  })
}
