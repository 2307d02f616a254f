/** A regular expression over code points, as it is read. */
import type { CodePoints } from './code-points.ts'

export type Pattern =
  | { readonly kind: 'set'; readonly set: CodePoints }
  | { readonly kind: 'sequence' | 'choice'; readonly parts: readonly Pattern[] }
  | { readonly kind: 'repeat'; readonly body: Pattern; readonly min: number; readonly max: number }
  /** `^` and `$`, of the whole text. */
  | { readonly kind: 'start' | 'end' }
  /** `(?=…)` and `(?!…)`. */
  | { readonly kind: 'look'; readonly body: Pattern; readonly negative: boolean }

/** It takes no character, whatever it says. */
export function isAssertion({ kind }: Pattern): boolean {
  return kind === 'start' || kind === 'end' || kind === 'look'
}

export function hasAssertion(pattern: Pattern): boolean {
  if (pattern.kind === 'repeat') return hasAssertion(pattern.body)
  if (pattern.kind === 'sequence' || pattern.kind === 'choice') return pattern.parts.some(hasAssertion)
  return isAssertion(pattern)
}

/** Whether it can take nothing; assertions are taken to hold. */
export function mayBeEmpty(pattern: Pattern): boolean {
  switch (pattern.kind) {
    case 'set':
      return false
    case 'sequence':
      return pattern.parts.every(mayBeEmpty)
    case 'choice':
      return pattern.parts.some(mayBeEmpty)
    case 'repeat':
      return pattern.min === 0 || mayBeEmpty(pattern.body)
    default:
      return true
  }
}
