/** Whether a value satisfies a schema: a small validator of its own, for values that the schema names and for finished documents. */
import { refuse } from '../regex/refuse.ts'
import { Decimal } from './decimal.ts'
import { FORMATS } from './formats.ts'
import { isArray, isEqual, isObject, type Json, type JsonObject } from './json-text.ts'
import type { SchemaDocument, Subschema } from './schema-document.ts'

/** What has been looked at by the keywords of a schema: for `unevaluated…`. */
interface Seen {
  readonly keys: Set<string>
  /** So many from the first. */
  items: number
  /** Those that `contains` has found. */
  readonly found: Set<number>
}

const MOST_LEVELS = 500

export class Validator {
  readonly #document: SchemaDocument
  readonly #patterns = new Map<string, RegExp>()
  readonly #listed = new Map<readonly Json[], ReadonlySet<string | undefined>>()
  #level = 0

  constructor(document: SchemaDocument) {
    this.#document = document
  }

  isValid(value: Json, schema: Subschema): boolean {
    return this.#check(value, schema, { keys: new Set(), items: 0, found: new Set() })
  }

  #check(value: Json, schema: Subschema, seen: Seen): boolean {
    if (typeof schema.value === 'boolean') return schema.value
    if (++this.#level > MOST_LEVELS)
      throw refuse(`schema: ${schema.pointer}`, 'it refers to itself without end')
    try {
      return this.#checkKeywords(value, schema, schema.value, seen)
    } finally {
      this.#level--
    }
  }

  #checkKeywords(value: Json, schema: Subschema, keywords: JsonObject, seen: Seen): boolean {
    if (keywords.has('$ref')) {
      if (!this.#check(value, this.#document.resolve(schema), seen)) return false
      if (this.#document.ignoresSiblings) return true
    }
    if (keywords.has('$dynamicRef') && !this.#check(value, this.#document.resolveDynamic(schema), seen))
      return false
    const own: Seen = { keys: new Set(), items: 0, found: new Set() }
    const ok =
      this.#checkValue(value, keywords) &&
      this.#checkInPlace(value, schema, keywords, own) &&
      this.#checkObject(value, schema, keywords, own) &&
      this.#checkArray(value, schema, keywords, own)
    if (!ok || !this.#checkUnevaluated(value, schema, keywords, merged(own, seen))) return false
    for (const key of own.keys) seen.keys.add(key)
    for (const item of own.found) seen.found.add(item)
    seen.items = Math.max(seen.items, own.items)
    return true
  }

  #checkValue(value: Json, keywords: JsonObject): boolean {
    const type = keywords.get('type')
    if (type !== undefined && ![type].flat().some((name) => isOfType(value, name as string))) return false
    const constant = keywords.get('const')
    if (keywords.has('const') && !isEqual(value, constant!)) return false
    const list = keywords.get('enum')
    if (isArray(list) && !this.#isListed(value, list)) return false
    if (value instanceof Decimal) return checkNumber(value, keywords)
    return typeof value !== 'string' || this.#checkString(value, keywords)
  }

  /** Plain values are looked up, however many there are. */
  #isListed(value: Json, list: readonly Json[]): boolean {
    const known = this.#listed.get(list) ?? new Set(list.map(plainKey))
    this.#listed.set(list, known)
    const key = plainKey(value)
    return key === undefined ? list.some((each) => isEqual(value, each)) : known.has(key)
  }

  #checkString(value: string, keywords: JsonObject): boolean {
    const length = [...value].length
    const pattern = keywords.get('pattern')
    const format = FORMATS.get(keywords.get('format') as string)
    return (
      length >= count(keywords, 'minLength', 0) &&
      length <= count(keywords, 'maxLength', Number.POSITIVE_INFINITY) &&
      (typeof pattern !== 'string' || this.#matches(pattern, value)) &&
      (format === undefined ||
        (length <= (format.maxLength ?? length) && this.#matches(`^(?:${format.pattern})$`, value)))
    )
  }

  #matches(pattern: string, value: string): boolean {
    const known = this.#patterns.get(pattern) ?? compile(pattern)
    this.#patterns.set(pattern, known)
    return known.test(value)
  }

  #checkInPlace(value: Json, schema: Subschema, keywords: JsonObject, seen: Seen): boolean {
    const each = (keyword: string) => {
      const list = keywords.get(keyword)
      return isArray(list) ? list.map((_, i) => this.#document.child(schema, keyword, i)) : []
    }
    if (!each('allOf').every((part) => this.#check(value, part, seen))) return false
    const any = each('anyOf').filter((part) => this.#check(value, part, seen))
    if (keywords.has('anyOf') && any.length === 0) return false
    if (keywords.has('oneOf')) {
      const valid = each('oneOf').filter((part) => this.isValid(value, part))
      if (valid.length !== 1) return false
      this.#check(value, valid[0]!, seen)
    }
    if (keywords.has('not') && this.isValid(value, this.#document.child(schema, 'not'))) return false
    if (!keywords.has('if')) return true
    const branch = this.#check(value, this.#document.child(schema, 'if'), seen) ? 'then' : 'else'
    return !keywords.has(branch) || this.#check(value, this.#document.child(schema, branch), seen)
  }

  #checkObject(value: Json, schema: Subschema, keywords: JsonObject, seen: Seen): boolean {
    if (!isObject(value)) return true
    if (value.size < count(keywords, 'minProperties', 0)) return false
    if (value.size > count(keywords, 'maxProperties', Number.POSITIVE_INFINITY)) return false
    const required = keywords.get('required')
    if (isArray(required) && !required.every((key) => value.has(key as string))) return false
    if (!this.#checkDependencies(value, schema, keywords, seen)) return false
    for (const [key, inner] of value) {
      if (keywords.has('propertyNames') && !this.isValid(key, this.#document.child(schema, 'propertyNames')))
        return false
      const applying = this.#schemasOfKey(key, schema, keywords)
      if (applying.length > 0) seen.keys.add(key)
      if (!applying.every((part) => this.isValid(inner, part))) return false
    }
    return true
  }

  #schemasOfKey(key: string, schema: Subschema, keywords: JsonObject): Subschema[] {
    const found: Subschema[] = []
    const properties = keywords.get('properties')
    if (isObject(properties) && properties.has(key))
      found.push(this.#document.child(schema, 'properties', key))
    const patterns = keywords.get('patternProperties')
    if (isObject(patterns))
      for (const pattern of patterns.keys())
        if (this.#matches(pattern, key))
          found.push(this.#document.child(schema, 'patternProperties', pattern))
    if (found.length === 0 && keywords.has('additionalProperties'))
      found.push(this.#document.child(schema, 'additionalProperties'))
    return found
  }

  #checkDependencies(value: JsonObject, schema: Subschema, keywords: JsonObject, seen: Seen): boolean {
    for (const keyword of ['dependentRequired', 'dependentSchemas', 'dependencies']) {
      const dependencies = keywords.get(keyword)
      if (!isObject(dependencies)) continue
      for (const [key, needs] of dependencies) {
        if (!value.has(key)) continue
        if (
          isArray(needs)
            ? !needs.every((need) => value.has(need as string))
            : !this.#check(value, this.#document.child(schema, keyword, key), seen)
        )
          return false
      }
    }
    return true
  }

  #checkArray(value: Json, schema: Subschema, keywords: JsonObject, seen: Seen): boolean {
    if (!isArray(value)) return true
    if (value.length < count(keywords, 'minItems', 0)) return false
    if (value.length > count(keywords, 'maxItems', Number.POSITIVE_INFINITY)) return false
    if (
      keywords.get('uniqueItems') === true &&
      value.some((item, i) => value.slice(0, i).some((other) => isEqual(item, other)))
    )
      return false
    const { prefix, rest } = itemKeywords(keywords)
    const first = prefix === undefined ? [] : (keywords.get(prefix) as readonly Json[])
    if (prefix !== undefined) seen.items = Math.max(seen.items, Math.min(first.length, value.length))
    if (rest !== undefined) seen.items = value.length
    const ok = value.every((item, i) => {
      if (i < first.length) return this.isValid(item, this.#document.child(schema, prefix!, i))
      return rest === undefined || this.isValid(item, this.#document.child(schema, rest))
    })
    return ok && this.#checkContains(value, schema, keywords, seen)
  }

  #checkContains(value: readonly Json[], schema: Subschema, keywords: JsonObject, seen: Seen): boolean {
    if (!keywords.has('contains')) return true
    const part = this.#document.child(schema, 'contains')
    const places = value.flatMap((item, i) => (this.isValid(item, part) ? [i] : []))
    for (const place of places) seen.found.add(place)
    const found = places.length
    return (
      found >= count(keywords, 'minContains', 1) &&
      found <= count(keywords, 'maxContains', Number.POSITIVE_INFINITY)
    )
  }

  #checkUnevaluated(value: Json, schema: Subschema, keywords: JsonObject, seen: Seen): boolean {
    if (isObject(value) && keywords.has('unevaluatedProperties')) {
      const part = this.#document.child(schema, 'unevaluatedProperties')
      for (const [key, inner] of value) if (!seen.keys.has(key) && !this.isValid(inner, part)) return false
    }
    if (!isArray(value) || !keywords.has('unevaluatedItems')) return true
    const part = this.#document.child(schema, 'unevaluatedItems')
    return value.every((item, i) => i < seen.items || seen.found.has(i) || this.isValid(item, part))
  }
}

/** Equal for equal values; `undefined` for arrays and objects. */
function plainKey(value: Json): string | undefined {
  if (isArray(value) || isObject(value)) return undefined
  return value instanceof Decimal ? value.toString() : JSON.stringify(value)
}

function merged(a: Seen, b: Seen): Seen {
  return {
    keys: new Set([...a.keys, ...b.keys]),
    items: Math.max(a.items, b.items),
    found: new Set([...a.found, ...b.found]),
  }
}

function compile(pattern: string): RegExp {
  try {
    return new RegExp(pattern, 'u')
  } catch {
    return new RegExp(pattern)
  }
}

function isOfType(value: Json, type: string): boolean {
  if (type === 'null') return value === null
  if (type === 'boolean' || type === 'string') return typeof value === type
  if (type === 'array') return isArray(value)
  if (type === 'object') return isObject(value)
  return value instanceof Decimal && (type === 'number' || value.isInteger)
}

/** Which keywords say what the first items are, and the others. */
export function itemKeywords(keywords: JsonObject): {
  prefix: 'prefixItems' | 'items' | undefined
  rest: 'items' | 'additionalItems' | undefined
} {
  if (isArray(keywords.get('items')))
    return { prefix: 'items', rest: keywords.has('additionalItems') ? 'additionalItems' : undefined }
  return {
    prefix: isArray(keywords.get('prefixItems')) ? 'prefixItems' : undefined,
    rest: keywords.has('items') ? 'items' : undefined,
  }
}

/** A bound of a count; not what is no number. */
export function count(keywords: JsonObject, keyword: string, otherwise: number): number {
  const value = keywords.get(keyword)
  return value instanceof Decimal ? value.toNumber() : otherwise
}

interface NumberKeywords {
  readonly min: readonly { value: Decimal; exclusive: boolean }[]
  readonly max: readonly { value: Decimal; exclusive: boolean }[]
  readonly multipleOf: Decimal | undefined
}

/** Draft 4 says with a boolean whether a bound is exclusive. */
export function numberKeywords(keywords: JsonObject): NumberKeywords {
  const bounds = (keyword: string, exclusiveKeyword: string) => {
    const [value, other] = [keywords.get(keyword), keywords.get(exclusiveKeyword)]
    return [
      ...(value instanceof Decimal ? [{ value, exclusive: other === true }] : []),
      ...(other instanceof Decimal ? [{ value: other, exclusive: true }] : []),
    ]
  }
  const step = keywords.get('multipleOf')
  return {
    min: bounds('minimum', 'exclusiveMinimum'),
    max: bounds('maximum', 'exclusiveMaximum'),
    multipleOf: step instanceof Decimal ? step : undefined,
  }
}

function checkNumber(value: Decimal, keywords: JsonObject): boolean {
  const { min, max, multipleOf } = numberKeywords(keywords)
  return (
    min.every((bound) => value.compare(bound.value) > (bound.exclusive ? 0 : -1)) &&
    max.every((bound) => value.compare(bound.value) < (bound.exclusive ? 0 : 1)) &&
    (multipleOf === undefined || value.isMultipleOf(multipleOf))
  )
}
