/** What the members of an object or an array have to satisfy, and what is needed to find out. */
import type { Spelling } from '../regex/compile-pattern.ts'
import type { Regex, Regexes } from '../regex/regexes.ts'
import type { Branch, Literal } from './branch.ts'
import type { Expander } from './expand.ts'
import type { Conjunction } from './graph.ts'
import type { Json } from './json-text.ts'
import type { SchemaDocument } from './schema-document.ts'

export interface Forms {
  readonly regexes: Regexes
  readonly document: SchemaDocument
  readonly spelling: Spelling
  readonly expander: Expander
  readonly closed: boolean
  conjunction(literals: readonly Literal[]): Conjunction
  pointerOf(literals: readonly Literal[]): string
  /** All values of a finite set; `undefined` where there may be more. */
  finiteValues(conjunction: Conjunction): Json[] | undefined
  /** The inside of all strings that satisfy schemas. */
  stringsOf(literals: readonly Literal[]): Regex
  isKeyAllowed(key: string, names: readonly Literal[]): boolean
}

/** What an item at a place has to satisfy. */
export function itemLiterals(branch: Branch, place: number): Literal[] {
  return branch.arrays.flatMap(({ prefix, rest }) => {
    const literal = place < prefix.length ? prefix[place] : rest
    return literal === undefined ? [] : [literal]
  })
}

/** What the value of a key has to satisfy. */
export function keyLiterals(forms: Forms, branch: Branch, key: string): Literal[] {
  return branch.objects.flatMap(({ properties, patterns, additional }) => {
    const found = patterns.filter(({ keys }) => matches(forms, keys, key)).map(({ literal }) => literal)
    const own = properties.get(key)
    if (own !== undefined) found.push(own)
    if (found.length === 0 && additional !== undefined) found.push(additional)
    return found
  })
}

/** Whether a key is one of a language. */
export function matches({ regexes }: Forms, keys: Regex, key: string): boolean {
  let left = keys
  for (const byte of Buffer.from(JSON.stringify(key).slice(1, -1))) left = regexes.derive(left, byte)
  return regexes.isNullable(left)
}
