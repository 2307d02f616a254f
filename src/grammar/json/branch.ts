/**
 * One of the ways in which a value can satisfy a set of schemas: a list of conditions that all hold, without alternatives. A set of
 * schemas is the union of its branches.
 */
import type { Regex } from '../regex/regexes.ts'
import type { Decimal } from './decimal.ts'
import { isEqual, type Json } from './json-text.ts'
import type { Bound } from './numbers.ts'

/** A schema that must hold, or must not: its id × 2, + 1 where it must not. */
export type Literal = number

/** Kinds of values, as bits. */
export const TYPE = {
  null: 1,
  true: 2,
  false: 4,
  integer: 8,
  fraction: 16,
  string: 32,
  array: 64,
  object: 128,
} as const
export const ALL_TYPES = 255
export const NUMBER = TYPE.integer | TYPE.fraction

export function typeBits(name: string): number | undefined {
  if (name === 'boolean') return TYPE.true | TYPE.false
  if (name === 'number') return NUMBER
  return ['null', 'integer', 'string', 'array', 'object'].includes(name)
    ? TYPE[name as keyof typeof TYPE]
    : undefined
}

/** What one schema says about the properties of an object. */
export interface ObjectPart {
  readonly properties: ReadonlyMap<string, Literal>
  readonly patterns: readonly { readonly keys: Regex; readonly source: string; readonly literal: Literal }[]
  /** Of the other keys. */
  readonly additional: Literal | undefined
  /** It counts for `unevaluatedProperties`. */
  readonly evaluates: boolean
}

/** A property that must be there: any key of a language, with a value that satisfies a schema. */
export interface Witness {
  readonly keys: Regex
  readonly literal: Literal
}

interface ArrayPart {
  readonly prefix: readonly Literal[]
  readonly rest: Literal | undefined
  readonly evaluates: boolean
}

export interface Contains {
  readonly literal: Literal
  readonly min: number
  readonly max: number
  /** Items before do not count. */
  readonly from: number
  /** What it finds counts for `unevaluatedItems`. */
  readonly evaluates: boolean
}

export interface Branch {
  readonly types: number
  /** It is one of these. */
  readonly values: readonly Json[] | undefined
  /** Strings and numbers that it is not. */
  readonly notValues: readonly (string | Decimal)[]
  readonly min: Bound | undefined
  readonly max: Bound | undefined
  readonly multiples: readonly Decimal[]
  readonly notMultiples: readonly Decimal[]
  /** Languages of the inside of a string. */
  readonly strings: readonly Regex[]
  readonly minLength: number
  readonly maxLength: number
  readonly objects: readonly ObjectPart[]
  readonly required: readonly string[]
  readonly names: readonly Literal[]
  readonly witnesses: readonly Witness[]
  readonly minProperties: number
  readonly maxProperties: number
  readonly arrays: readonly ArrayPart[]
  readonly minItems: number
  readonly maxItems: number
  readonly contains: readonly Contains[]
  /** Where it is said that no two items are equal. */
  readonly unique: string | undefined
  /** Where what cannot be done was asked for: it counts if the branch is needed. */
  readonly refused: Error | undefined
}

export const ANYTHING: Branch = {
  types: ALL_TYPES,
  values: undefined,
  notValues: [],
  min: undefined,
  max: undefined,
  multiples: [],
  notMultiples: [],
  strings: [],
  minLength: 0,
  maxLength: Number.POSITIVE_INFINITY,
  objects: [],
  required: [],
  names: [],
  witnesses: [],
  minProperties: 0,
  maxProperties: Number.POSITIVE_INFINITY,
  arrays: [],
  minItems: 0,
  maxItems: Number.POSITIVE_INFINITY,
  contains: [],
  unique: undefined,
  refused: undefined,
}

export function withTypes(branch: Branch, types: number): Branch {
  return { ...branch, types: branch.types & types }
}

export function withValues(branch: Branch, values: readonly Json[]): Branch {
  const known = branch.values
  const both =
    known === undefined ? values : known.filter((each) => values.some((value) => isEqual(each, value)))
  return { ...branch, values: both }
}

export function withMin(branch: Branch, min: Bound): Branch {
  const known = branch.min
  if (known === undefined) return { ...branch, min }
  const order = min.value.compare(known.value)
  return order > 0 || (order === 0 && min.exclusive) ? { ...branch, min } : branch
}

export function withMax(branch: Branch, max: Bound): Branch {
  const known = branch.max
  if (known === undefined) return { ...branch, max }
  const order = max.value.compare(known.value)
  return order < 0 || (order === 0 && max.exclusive) ? { ...branch, max } : branch
}

export function withRequired(branch: Branch, keys: readonly string[]): Branch {
  return { ...branch, required: [...new Set([...branch.required, ...keys])] }
}

export function withObject(branch: Branch, part: Partial<ObjectPart>): Branch {
  const whole = { properties: new Map(), patterns: [], additional: undefined, evaluates: false, ...part }
  return { ...branch, objects: [...branch.objects, whole] }
}

export function withArray(branch: Branch, part: Partial<ArrayPart>): Branch {
  return { ...branch, arrays: [...branch.arrays, { prefix: [], rest: undefined, evaluates: false, ...part }] }
}

/** Nothing can satisfy it, whatever its parts are. */
export function isDead(branch: Branch): boolean {
  return branch.types === 0 || branch.values?.length === 0
}
