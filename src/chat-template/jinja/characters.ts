/** Texts by their characters, as Python counts them: one of two code units is one. */
import type { Budget } from './budget.ts'

const PAIRED = /[\ud800-\udbff][\udc00-\udfff]/

export function hasPairs(text: string): boolean {
  return PAIRED.test(text)
}

export function lengthOf(text: string, budget: Budget): number {
  budget.text(text.length)
  if (!hasPairs(text)) return text.length
  let length = 0
  for (const _ of text) length++
  return length
}

/** The characters, or the text itself where a code unit is one. */
export function charactersOf(text: string, budget: Budget): readonly string[] | string {
  budget.text(text.length)
  if (!hasPairs(text)) return text
  budget.items(text.length)
  return Array.from(text)
}

/** How many characters stand before a code unit. */
export function charactersBefore(text: string, unit: number): number {
  return hasPairs(text) ? Array.from(text.slice(0, unit)).length : unit
}

/** -1, 0 or 1, by code points. */
export function compareTexts(a: string, b: string): number {
  if (a === b) return 0
  let at = 0
  while (a.charCodeAt(at) === b.charCodeAt(at)) at++
  const isLow = (unit: number): boolean => unit >= 0xdc00 && unit < 0xe000
  if (isLow(a.charCodeAt(at)) || isLow(b.charCodeAt(at))) at = Math.max(0, at - 1)
  return (a.codePointAt(at) ?? -1) < (b.codePointAt(at) ?? -1) ? -1 : 1
}
