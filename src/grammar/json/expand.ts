/**
 * Schemas as branches. Each keyword narrows a branch or splits it; a schema that must not hold splits into the ways to violate
 * it. Only what speaks of the value itself is followed; properties and items stay sets of schemas, for whoever needs them.
 */
import { compileSearch, compileWhole, type Spelling } from '../regex/compile-pattern.ts'
import { readPattern } from '../regex/read-pattern.ts'
import { refuse } from '../regex/refuse.ts'
import type { Regex } from '../regex/regexes.ts'
import {
  ALL_TYPES,
  ANYTHING,
  type Branch,
  type Contains,
  isDead,
  type Literal,
  NUMBER,
  type ObjectPart,
  TYPE,
  typeBits,
  withArray,
  withMax,
  withMin,
  withObject,
  withRequired,
  withTypes,
  withValues,
} from './branch.ts'
import { Decimal } from './decimal.ts'
import { FORMATS } from './formats.ts'
import { isArray, isObject, type Json, type JsonObject } from './json-text.ts'
import type { SchemaDocument, Subschema } from './schema-document.ts'
import { count, itemKeywords, numberKeywords } from './validate.ts'

const MOST = Number.POSITIVE_INFINITY
const MOST_BRANCHES = 1_024
const MOST_NESTED = 200
/** Branches of `anyOf` of which all combinations are gone through. */
const MOST_COMBINED = 6

interface ExpandOptions {
  readonly document: SchemaDocument
  /** How the inside of strings is spelled. */
  readonly spelling: Spelling
  /** Whether nothing satisfies a branch, as far as that is easily seen. */
  readonly isImpossible: (branch: Branch) => boolean
  /** All inside-of-string texts that satisfy schemas. */
  readonly stringsOf: (literals: readonly Literal[]) => Regex
  /** An object without `additionalProperties` takes no other keys. */
  readonly closed: boolean
}

type Step = (branches: readonly Branch[]) => Branch[]

export class Expander {
  readonly #options: ExpandOptions
  readonly #patterns = new Map<string, Regex>()
  /** Those that are being followed: one within itself has no end. */
  #active = new Set<Literal>()
  /** Within a schema that says something about what is not evaluated. */
  #tracking = 0
  #inNot = 0
  /** Which alternatives hold must be known, not only that one does. */
  #isExact = false

  constructor(options: ExpandOptions) {
    this.#options = options
  }

  get true(): Literal {
    return 2 * this.#options.document.made(true, this.#options.document.root).id
  }

  get false(): Literal {
    return 2 * this.#options.document.made(false, this.#options.document.root).id
  }

  /** The branches of schemas that all hold. */
  branches(literals: readonly Literal[]): Branch[] {
    const [active, tracking, inNot, isExact] = [this.#active, this.#tracking, this.#inNot, this.#isExact]
    this.#active = new Set()
    this.#tracking = 0
    this.#inNot = 0
    this.#isExact = false
    try {
      return literals.reduce<Branch[]>((branches, literal) => this.#expand(branches, literal), [ANYTHING])
    } finally {
      this.#active = active
      this.#tracking = tracking
      this.#inNot = inNot
      this.#isExact = isExact
    }
  }

  #expand(branches: readonly Branch[], literal: Literal): Branch[] {
    if (branches.length === 0) return []
    const schema = this.#options.document.get(literal >> 1)
    const holds = (literal & 1) === 0
    if (typeof schema.value === 'boolean') return schema.value === holds ? [...branches] : []
    if (this.#active.has(literal))
      throw refuse(`schema: ${schema.pointer}`, 'it refers to itself without end')
    if (this.#active.size > MOST_NESTED) throw refuse(`schema: ${schema.pointer}`, 'nested too deeply')
    this.#active.add(literal)
    try {
      return holds
        ? this.#hold(branches, schema, schema.value)
        : this.#violate(branches, schema, schema.value)
    } finally {
      this.#active.delete(literal)
    }
  }

  #positive(schema: Subschema): Literal {
    return 2 * schema.id
  }

  #negative(schema: Subschema): Literal {
    return 2 * schema.id + 1
  }

  #child(schema: Subschema, ...path: readonly (string | number)[]): Literal {
    return this.#positive(this.#options.document.child(schema, ...path))
  }

  // What must hold

  #hold(branches: readonly Branch[], schema: Subschema, keywords: JsonObject): Branch[] {
    const steps: Step[] = []
    const tracks = keywords.has('unevaluatedProperties') || keywords.has('unevaluatedItems')
    if (keywords.has('$ref')) {
      const target = this.#positive(this.#options.document.resolve(schema))
      if (this.#options.document.ignoresSiblings) return this.#expand(branches, target)
      steps.push((all) => this.#expand(all, target))
    }
    if (keywords.has('$dynamicRef')) {
      const target = this.#positive(this.#options.document.resolveDynamic(schema))
      steps.push((all) => this.#expand(all, target))
    }
    steps.push(...this.#stepsToHold(schema, keywords))
    if (!tracks) return this.#through(branches, steps, schema)
    return this.#tracked(branches, steps, schema).map(([before, end]) =>
      this.#unevaluated(before, end, schema, keywords),
    )
  }

  /** Each branch with those it becomes: what has been looked at is told by the parts that are added on the way. */
  #tracked(branches: readonly Branch[], steps: readonly Step[], schema: Subschema): [Branch, Branch][] {
    this.#tracking++
    try {
      return branches.flatMap((before) =>
        this.#through([before], steps, schema).map((end): [Branch, Branch] => [before, end]),
      )
    } finally {
      this.#tracking--
    }
  }

  #stepsToHold(schema: Subschema, keywords: JsonObject): Step[] {
    return [
      (all) => all.map((branch) => this.#own(branch, schema, keywords)),
      ...this.#dependencies(schema, keywords),
      ...this.#applicators(schema, keywords),
    ]
  }

  #through(branches: readonly Branch[], steps: readonly Step[], schema: Subschema): Branch[] {
    let all = [...branches]
    for (const step of steps) {
      all = step(all).filter((branch) => !isDead(branch))
      if (all.length > MOST_BRANCHES)
        throw refuse(`schema: ${schema.pointer}`, 'too many combinations of alternatives')
    }
    return all
  }

  /** The keywords without alternatives. */
  #own(before: Branch, schema: Subschema, keywords: JsonObject): Branch {
    let branch = before
    const type = keywords.get('type')
    if (type !== undefined) branch = withTypes(branch, this.#types(type, schema))
    if (keywords.has('const')) branch = withValues(branch, [keywords.get('const')!])
    const list = keywords.get('enum')
    if (isArray(list)) branch = withValues(branch, list)
    if (branch.types & NUMBER) branch = this.#number(branch, schema, keywords)
    if (branch.types & TYPE.string) branch = this.#string(branch, schema, keywords)
    if (branch.types & TYPE.array) branch = this.#array(branch, schema, keywords)
    if (branch.types & TYPE.object) branch = this.#object(branch, schema, keywords)
    return branch
  }

  #types(type: Json, schema: Subschema): number {
    return [type].flat().reduce<number>((bits, name) => {
      const bit = typeBits(String(name))
      if (bit === undefined)
        throw refuse(`schema: ${schema.pointer}/type`, `there is no type ${JSON.stringify(String(name))}`)
      return bits | bit
    }, 0)
  }

  #number(before: Branch, schema: Subschema, keywords: JsonObject): Branch {
    const { min, max, multipleOf } = numberKeywords(keywords)
    let branch = before
    for (const bound of min) branch = withMin(branch, bound)
    for (const bound of max) branch = withMax(branch, bound)
    if (multipleOf === undefined) return branch
    if (multipleOf.isNegative || multipleOf.digits === 0n)
      throw refuse(`schema: ${schema.pointer}/multipleOf`, 'a step is greater than 0')
    return { ...branch, multiples: [...branch.multiples, multipleOf] }
  }

  #string(branch: Branch, schema: Subschema, keywords: JsonObject): Branch {
    const strings = [...branch.strings]
    const pattern = keywords.get('pattern')
    if (typeof pattern === 'string') strings.push(this.#search(pattern, `${schema.pointer}/pattern`))
    const name = keywords.get('format')
    const format = typeof name === 'string' ? this.#format(name, schema) : undefined
    if (format !== undefined) strings.push(format.regex)
    return {
      ...branch,
      strings,
      minLength: Math.max(branch.minLength, count(keywords, 'minLength', 0)),
      maxLength: Math.min(branch.maxLength, format?.maxLength ?? MOST, count(keywords, 'maxLength', MOST)),
    }
  }

  #search(source: string, pointer: string): Regex {
    const known = this.#patterns.get(source)
    if (known !== undefined) return known
    const where = `schema: ${pointer}`
    const regex = compileSearch(this.#options.spelling, readPattern(source, where), where)
    this.#patterns.set(source, regex)
    return regex
  }

  #format(name: string, { pointer }: Subschema): { regex: Regex; maxLength: number | undefined } {
    const where = `schema: ${pointer}/format`
    const format = FORMATS.get(name)
    if (format === undefined)
      throw refuse(
        where,
        `the format ${JSON.stringify(name)} is not supported`,
        'use "pattern", or leave it out',
      )
    const key = `format ${name}`
    const pattern = this.#patterns.get(key) ?? readPattern(format.pattern, where)
    const regex = typeof pattern === 'number' ? pattern : compileWhole(this.#options.spelling, pattern, where)
    this.#patterns.set(key, regex)
    return { regex, maxLength: format.maxLength }
  }

  #array(before: Branch, schema: Subschema, keywords: JsonObject): Branch {
    let branch: Branch = {
      ...before,
      minItems: Math.max(before.minItems, count(keywords, 'minItems', 0)),
      maxItems: Math.min(before.maxItems, count(keywords, 'maxItems', Number.POSITIVE_INFINITY)),
      unique: before.unique ?? (keywords.get('uniqueItems') === true ? schema.pointer : undefined),
    }
    const { prefix, rest } = itemKeywords(keywords)
    if (prefix !== undefined || rest !== undefined) {
      const first = prefix === undefined ? [] : (keywords.get(prefix) as readonly Json[])
      branch = withArray(branch, {
        prefix: first.map((_, i) => this.#child(schema, prefix!, i)),
        rest: rest === undefined ? undefined : this.#child(schema, rest),
        evaluates: this.#inNot === 0,
      })
    }
    if (!keywords.has('contains')) return branch
    const min = count(keywords, 'minContains', 1)
    const max = count(keywords, 'maxContains', Number.POSITIVE_INFINITY)
    const contains = {
      literal: this.#child(schema, 'contains'),
      min,
      max,
      from: 0,
      evaluates: this.#inNot === 0,
    }
    return { ...branch, contains: [...branch.contains, contains] }
  }

  #object(before: Branch, schema: Subschema, keywords: JsonObject): Branch {
    let branch: Branch = {
      ...before,
      minProperties: Math.max(before.minProperties, count(keywords, 'minProperties', 0)),
      maxProperties: Math.min(
        before.maxProperties,
        count(keywords, 'maxProperties', Number.POSITIVE_INFINITY),
      ),
    }
    const part = this.#objectPart(schema, keywords)
    if (part !== undefined) branch = { ...branch, objects: [...branch.objects, part] }
    const required = keywords.get('required')
    if (isArray(required)) branch = withRequired(branch, required.map(String))
    if (keywords.has('propertyNames'))
      branch = { ...branch, names: [...branch.names, this.#child(schema, 'propertyNames')] }
    return branch
  }

  #objectPart(schema: Subschema, keywords: JsonObject): ObjectPart | undefined {
    const properties = keywords.get('properties')
    const patterns = keywords.get('patternProperties')
    const open = keywords.get('additionalProperties')
    if (!isObject(properties) && !isObject(patterns) && open === undefined) return undefined
    return {
      properties: new Map(
        isObject(properties)
          ? [...properties.keys()].map((key) => [key, this.#child(schema, 'properties', key)])
          : [],
      ),
      patterns: this.#patternParts(schema, patterns),
      additional: open === undefined ? undefined : this.#child(schema, 'additionalProperties'),
      evaluates: this.#inNot === 0,
    }
  }

  #patternParts(schema: Subschema, patterns: Json | undefined): ObjectPart['patterns'] {
    if (!isObject(patterns)) return []
    return [...patterns.keys()].map((source) => ({
      source,
      keys: this.#search(source, `${schema.pointer}/patternProperties`),
      literal: this.#child(schema, 'patternProperties', source),
    }))
  }

  #dependencies(schema: Subschema, keywords: JsonObject): Step[] {
    const steps: Step[] = []
    for (const keyword of ['dependentRequired', 'dependentSchemas', 'dependencies']) {
      const dependencies = keywords.get(keyword)
      if (!isObject(dependencies)) continue
      for (const [key, needs] of dependencies) {
        const apply: Step = isArray(needs)
          ? (all) => all.map((branch) => withRequired(branch, needs.map(String)))
          : (all) => this.#expand(all, this.#child(schema, keyword, key))
        steps.push((all) => all.flatMap((branch) => this.#withAndWithout(branch, key, apply)))
      }
    }
    return steps
  }

  #withAndWithout(branch: Branch, key: string, apply: Step): Branch[] {
    if ((branch.types & TYPE.object) === 0) return [branch]
    const others = withTypes(branch, ALL_TYPES & ~TYPE.object)
    const object = withTypes(branch, TYPE.object)
    const without = branch.required.includes(key) ? [] : [this.#forbid(object, key)]
    // What is no object does not care, so it is spared the split.
    return [...(others.types === 0 ? [] : [others]), ...without, ...apply([withRequired(object, [key])])]
  }

  #forbid(branch: Branch, key: string): Branch {
    return withObject(branch, { properties: new Map([[key, this.false]]) })
  }

  #applicators(schema: Subschema, keywords: JsonObject): Step[] {
    const list = (keyword: string): Literal[] => {
      const parts = keywords.get(keyword)
      if (parts === undefined) return []
      if (!isArray(parts))
        throw refuse(`schema: ${schema.pointer}/${keyword}`, 'a list of schemas is missing')
      return parts.map((_, i) => this.#child(schema, keyword, i))
    }
    const steps: Step[] = list('allOf').map((part) => (all) => this.#expand(all, part))
    if (keywords.has('not')) steps.push((all) => this.#not(all, this.#child(schema, 'not')))
    if (keywords.has('if')) steps.push((all) => this.#condition(all, schema, keywords))
    if (keywords.has('anyOf')) steps.push((all) => this.#anyOf(all, list('anyOf')))
    if (keywords.has('oneOf')) steps.push((all) => this.#oneOf(all, list('oneOf')))
    return steps
  }

  #not(all: readonly Branch[], literal: Literal): Branch[] {
    this.#inNot++
    try {
      return this.#expand(all, literal ^ 1)
    } finally {
      this.#inNot--
    }
  }

  #condition(all: readonly Branch[], schema: Subschema, keywords: JsonObject): Branch[] {
    if (!keywords.has('then') && !keywords.has('else') && this.#tracking === 0) return [...all]
    const condition = this.#child(schema, 'if')
    const hold = keywords.has('then') ? [condition, this.#child(schema, 'then')] : [condition]
    const then = hold.reduce<Branch[]>((branches, literal) => this.#expand(branches, literal), [...all])
    const otherwise = this.#not(all, condition)
    return [
      ...then,
      ...(keywords.has('else') ? this.#expand(otherwise, this.#child(schema, 'else')) : otherwise),
    ]
  }

  #anyOf(all: readonly Branch[], parts: readonly Literal[]): Branch[] {
    if (this.#tracking === 0) return parts.flatMap((part) => this.#expand(all, part))
    // Each that holds tells what it has looked at: all combinations are ways of their own.
    if (parts.length > MOST_COMBINED) {
      if (this.#isExact)
        throw refuse('schema', `more than ${MOST_COMBINED} alternatives with "unevaluated…" within "not"`)
      return parts.flatMap((part) => this.#expand(all, part))
    }
    const sets = Array.from({ length: 2 ** parts.length - 1 }, (_, i) => i + 1)
    return sets.flatMap((set) =>
      parts.reduce<Branch[]>(
        (branches, part, k) => {
          if ((set >> k) & 1) return this.#expand(branches, part)
          return this.#isExact ? this.#not(branches, part) : branches
        },
        [...all],
      ),
    )
  }

  /** Exactly one: the others are ruled out where they could hold as well. */
  #oneOf(all: readonly Branch[], parts: readonly Literal[]): Branch[] {
    return all.flatMap((branch) => {
      const alone = parts.map((part) =>
        this.#expand([branch], part).filter((each) => !this.#options.isImpossible(each)),
      )
      const kinds = alone.map((each) => each.reduce((bits, { types }) => bits | types, 0))
      return parts.flatMap((_, i) => {
        let branches: Branch[] = alone[i]!
        parts.forEach((other, k) => {
          if (k === i || branches.length === 0 || (kinds[i]! & kinds[k]!) === 0) return
          const both = this.#expand(branches, other)
          if (both.every((each) => isDead(each) || this.#options.isImpossible(each))) return
          branches = this.#not(branches, other).filter((each) => !this.#options.isImpossible(each))
        })
        return branches
      })
    })
  }

  #unevaluated(before: Branch, end: Branch, schema: Subschema, keywords: JsonObject): Branch {
    let branch = end
    const keys = keywords.has('unevaluatedProperties') ? this.#seenKeys(before, end) : undefined
    if (keys !== undefined)
      branch = withObject(branch, {
        properties: new Map(keys.properties.map((key) => [key, this.true])),
        patterns: keys.patterns.map((each) => ({ ...each, literal: this.true })),
        additional: this.#child(schema, 'unevaluatedProperties'),
        evaluates: true,
      })
    const items = keywords.has('unevaluatedItems') ? seenItems(before, end) : undefined
    if (items === undefined) return branch
    const { document } = this.#options
    const rest = document.child(schema, 'unevaluatedItems')
    const matching = items.contains.map(({ literal }) => document.get(literal >> 1).value)
    const either =
      matching.length === 0 ? rest : document.made(new Map([['anyOf', [...matching, rest.value]]]), schema)
    return withArray(branch, {
      prefix: new Array(items.prefix).fill(this.true),
      rest: this.#positive(either),
      evaluates: true,
    })
  }

  /** What the properties since a branch speak of; `undefined`: of all. */
  #seenKeys(
    before: Branch,
    end: Branch,
  ): { properties: string[]; patterns: ObjectPart['patterns'] } | undefined {
    const objects = end.objects.slice(before.objects.length).filter((part) => part.evaluates)
    if (objects.some((part) => part.additional !== undefined)) return undefined
    return {
      properties: objects.flatMap((part) => [...part.properties.keys()]),
      patterns: objects.flatMap((part) => part.patterns),
    }
  }

  /** The rest of the schema holds, and something that it does not speak of is wrong. */
  #violateUnevaluated(schema: Subschema, keywords: JsonObject): Step[] {
    if (!keywords.has('unevaluatedProperties') && !keywords.has('unevaluatedItems')) return []
    return [
      (all) => {
        const [inNot, isExact] = [this.#inNot, this.#isExact]
        this.#inNot = 0
        this.#isExact = true
        try {
          const steps = this.#stepsToHold(schema, keywords)
          if (keywords.has('$ref')) {
            const target = this.#positive(this.#options.document.resolve(schema))
            steps.push((branches) => this.#expand(branches, target))
          }
          return this.#tracked(all, steps, schema).flatMap(([before, end]) =>
            this.#wrongRest(before, end, schema, keywords),
          )
        } finally {
          this.#inNot = inNot
          this.#isExact = isExact
        }
      },
    ]
  }

  #wrongRest(before: Branch, end: Branch, schema: Subschema, keywords: JsonObject): Branch[] {
    const ways: Branch[] = []
    const { regexes, text } = this.#options.spelling
    const keys = keywords.has('unevaluatedProperties') ? this.#seenKeys(before, end) : undefined
    if (keys !== undefined) {
      const known = [
        ...keys.properties.map((key) => this.literalKey(key)),
        ...keys.patterns.map((each) => each.keys),
      ]
      const witness = {
        keys: regexes.and([text, regexes.not(regexes.or(known))]),
        literal: this.#child(schema, 'unevaluatedProperties') ^ 1,
      }
      ways.push({ ...withTypes(end, TYPE.object), witnesses: [...end.witnesses, witness] })
    }
    const items = keywords.has('unevaluatedItems') ? seenItems(before, end) : undefined
    if (items !== undefined) {
      if (items.contains.length > 0)
        throw refuse(
          `schema: ${schema.pointer}/unevaluatedItems`,
          'beside "contains" and within "not" it is not supported',
        )
      const literal = this.#child(schema, 'unevaluatedItems') ^ 1
      const contains = {
        literal,
        min: 1,
        max: Number.POSITIVE_INFINITY,
        from: items.prefix,
        evaluates: false,
      }
      ways.push({ ...withTypes(end, TYPE.array), contains: [...end.contains, contains] })
    }
    return ways.filter((branch) => !isDead(branch))
  }

  // What must not hold: one way to violate it after the other

  #violate(branches: readonly Branch[], schema: Subschema, keywords: JsonObject): Branch[] {
    this.#inNot++
    try {
      const ways = this.#waysToViolate(schema, keywords)
      const all = branches
        .flatMap((branch) => ways.flatMap((way) => way([branch])))
        .filter((branch) => !isDead(branch))
      if (all.length > MOST_BRANCHES)
        throw refuse(`schema: ${schema.pointer}`, 'too many combinations of alternatives')
      return all
    } finally {
      this.#inNot--
    }
  }

  #waysToViolate(schema: Subschema, keywords: JsonObject): Step[] {
    const { document } = this.#options
    const ways: Step[] = []
    if (keywords.has('$ref')) {
      const target = this.#negative(document.resolve(schema))
      ways.push((all) => this.#expand(all, target))
      if (document.ignoresSiblings) return ways
    }
    if (keywords.has('$dynamicRef')) {
      const target = this.#negative(document.resolveDynamic(schema))
      ways.push((all) => this.#expand(all, target))
    }
    const type = keywords.get('type')
    if (type !== undefined)
      ways.push(each((branch) => withTypes(branch, ALL_TYPES & ~this.#types(type, schema))))
    if (keywords.has('const')) ways.push((all) => this.#notValues(all, [keywords.get('const')!], schema))
    const list = keywords.get('enum')
    if (isArray(list)) ways.push((all) => this.#notValues(all, list, schema))
    ways.push(...this.#violateNumber(keywords), ...this.#violateString(schema, keywords))
    ways.push(...this.#violateArray(schema, keywords), ...this.#violateObject(schema, keywords))
    ways.push(...this.#violateApplicators(schema, keywords))
    ways.push(...this.#violateUnevaluated(schema, keywords))
    return ways
  }

  #notValues(all: readonly Branch[], values: readonly Json[], schema: Subschema): Branch[] {
    return values.reduce<Branch[]>(
      (branches, value) => branches.flatMap((branch) => this.#notValue(branch, value, schema)),
      [...all],
    )
  }

  #notValue(branch: Branch, value: Json, schema: Subschema): Branch[] {
    if (value === null) return [withTypes(branch, ALL_TYPES & ~TYPE.null)]
    if (typeof value === 'boolean') return [withTypes(branch, ALL_TYPES & ~(value ? TYPE.true : TYPE.false))]
    if (typeof value === 'string' || value instanceof Decimal)
      return [{ ...branch, notValues: [...branch.notValues, value] }]
    const type = isArray(value) ? TYPE.array : TYPE.object
    if ((branch.types & type) === 0) return [branch]
    const others = withTypes(branch, ALL_TYPES & ~type)
    const same = this.#options.document.made(sameAs(value), schema)
    return [
      ...(isDead(others) ? [] : [others]),
      ...this.#expand([withTypes(branch, type)], this.#negative(same)),
    ]
  }

  #violateNumber(keywords: JsonObject): Step[] {
    const { min, max, multipleOf } = numberKeywords(keywords)
    const numbers = (change: (branch: Branch) => Branch) =>
      each((branch) => change(withTypes(branch, NUMBER)))
    return [
      ...min.map(({ value, exclusive }) =>
        numbers((branch) => withMax(branch, { value, exclusive: !exclusive })),
      ),
      ...max.map(({ value, exclusive }) =>
        numbers((branch) => withMin(branch, { value, exclusive: !exclusive })),
      ),
      ...(multipleOf === undefined
        ? []
        : [numbers((branch) => ({ ...branch, notMultiples: [...branch.notMultiples, multipleOf] }))]),
    ]
  }

  #violateString(schema: Subschema, keywords: JsonObject): Step[] {
    const ways: Step[] = []
    const strings = (change: (branch: Branch) => Branch) =>
      each((branch) => change(withTypes(branch, TYPE.string)))
    const { regexes } = this.#options.spelling
    const [min, max] = [
      count(keywords, 'minLength', 0),
      count(keywords, 'maxLength', Number.POSITIVE_INFINITY),
    ]
    if (min > 0)
      ways.push(strings((branch) => ({ ...branch, maxLength: Math.min(branch.maxLength, min - 1) })))
    if (max < Number.POSITIVE_INFINITY)
      ways.push(strings((branch) => ({ ...branch, minLength: Math.max(branch.minLength, max + 1) })))
    const pattern = keywords.get('pattern')
    if (typeof pattern === 'string') {
      const not = regexes.not(this.#search(pattern, `${schema.pointer}/pattern`))
      ways.push(strings((branch) => ({ ...branch, strings: [...branch.strings, not] })))
    }
    if (keywords.has('format'))
      ways.push(cannot(schema, 'format', 'within "not" it is not supported', TYPE.string))
    return ways
  }

  #violateArray(schema: Subschema, keywords: JsonObject): Step[] {
    const ways: Step[] = []
    const arrays = (change: (branch: Branch) => Branch) =>
      each((branch) => change(withTypes(branch, TYPE.array)))
    const min = count(keywords, 'minItems', 0)
    const max = count(keywords, 'maxItems', Number.POSITIVE_INFINITY)
    if (min > 0) ways.push(arrays((branch) => ({ ...branch, maxItems: Math.min(branch.maxItems, min - 1) })))
    if (max < Number.POSITIVE_INFINITY)
      ways.push(arrays((branch) => ({ ...branch, minItems: Math.max(branch.minItems, max + 1) })))
    if (keywords.get('uniqueItems') === true)
      ways.push(cannot(schema, 'uniqueItems', 'within "not" it is not supported', TYPE.array))
    const { prefix, rest } = itemKeywords(keywords)
    const first = prefix === undefined ? [] : (keywords.get(prefix) as readonly Json[])
    first.forEach((_, i) => {
      const literal = this.#child(schema, prefix!, i) ^ 1
      ways.push(
        arrays((branch) =>
          withArray(
            { ...branch, minItems: Math.max(branch.minItems, i + 1) },
            { prefix: [...new Array(i).fill(this.true), literal] },
          ),
        ),
      )
    })
    const violating = (literal: Literal, bounds: { min: number; max: number; from?: number }) =>
      arrays((branch) => ({
        ...branch,
        contains: [...branch.contains, { literal, from: 0, evaluates: false, ...bounds }],
      }))
    const any = Number.POSITIVE_INFINITY
    if (rest !== undefined)
      ways.push(violating(this.#child(schema, rest) ^ 1, { min: 1, max: any, from: first.length }))
    if (keywords.has('contains')) {
      const literal = this.#child(schema, 'contains')
      const least = count(keywords, 'minContains', 1)
      const most = count(keywords, 'maxContains', any)
      if (least > 0) ways.push(violating(literal, { min: 0, max: least - 1 }))
      if (most < any) ways.push(violating(literal, { min: most + 1, max: any }))
    }
    return ways
  }

  #violateObject(schema: Subschema, keywords: JsonObject): Step[] {
    const ways: Step[] = []
    const objects = (change: (branch: Branch) => Branch) =>
      each((branch) => change(withTypes(branch, TYPE.object)))
    const min = count(keywords, 'minProperties', 0)
    const max = count(keywords, 'maxProperties', Number.POSITIVE_INFINITY)
    if (min > 0)
      ways.push(objects((branch) => ({ ...branch, maxProperties: Math.min(branch.maxProperties, min - 1) })))
    if (max < Number.POSITIVE_INFINITY)
      ways.push(objects((branch) => ({ ...branch, minProperties: Math.max(branch.minProperties, max + 1) })))
    const required = keywords.get('required')
    if (isArray(required))
      for (const key of required) ways.push(objects((branch) => this.#forbid(branch, String(key))))
    const part = this.#objectPart(schema, keywords)
    for (const [key, literal] of part?.properties ?? [])
      ways.push(
        objects((branch) =>
          withObject(withRequired(branch, [key]), { properties: new Map([[key, literal ^ 1]]) }),
        ),
      )
    const witness = (keys: Regex, literal: Literal) =>
      objects((branch) => ({ ...branch, witnesses: [...branch.witnesses, { keys, literal }] }))
    const { regexes, text } = this.#options.spelling
    for (const { keys, literal } of part?.patterns ?? []) ways.push(witness(keys, literal ^ 1))
    if (part?.additional !== undefined) {
      const known = [...part.properties.keys()].map((key) => this.literalKey(key))
      const others = regexes.not(regexes.or([...known, ...part.patterns.map(({ keys }) => keys)]))
      ways.push(witness(regexes.and([text, others]), part.additional ^ 1))
    }
    if (keywords.has('propertyNames')) {
      const names = this.#child(schema, 'propertyNames')
      ways.push((all) => witness(this.#options.stringsOf([names ^ 1]), this.true)(all))
    }
    for (const keyword of ['dependentRequired', 'dependentSchemas', 'dependencies'])
      ways.push(...this.#violateDependencies(schema, keywords, keyword))
    return ways
  }

  /** A key as the inside of a JSON string. */
  literalKey(key: string): Regex {
    return this.#options.spelling.regexes.literal(JSON.stringify(key).slice(1, -1))
  }

  #violateDependencies(schema: Subschema, keywords: JsonObject, keyword: string): Step[] {
    const dependencies = keywords.get(keyword)
    if (!isObject(dependencies)) return []
    return [...dependencies].flatMap(([key, needs]): Step[] => {
      const object = (branch: Branch) => withRequired(withTypes(branch, TYPE.object), [key])
      if (isArray(needs))
        return needs.map((need) => each((branch) => this.#forbid(object(branch), String(need))))
      const literal = this.#child(schema, keyword, key) ^ 1
      return [
        (all) =>
          this.#expand(
            all.map(object).filter((branch) => !isDead(branch)),
            literal,
          ),
      ]
    })
  }

  #violateApplicators(schema: Subschema, keywords: JsonObject): Step[] {
    const list = (keyword: string): Literal[] => {
      const parts = keywords.get(keyword)
      return isArray(parts) ? parts.map((_, i) => this.#child(schema, keyword, i)) : []
    }
    const all =
      (literals: readonly Literal[]): Step =>
      (branches) =>
        literals.reduce<Branch[]>((so, literal) => this.#expand(so, literal), [...branches])
    const ways: Step[] = list('allOf').map((part) => all([part ^ 1]))
    if (keywords.has('anyOf')) ways.push(all(list('anyOf').map((part) => part ^ 1)))
    if (keywords.has('not')) ways.push(all([this.#child(schema, 'not')]))
    if (keywords.has('oneOf')) {
      const parts = list('oneOf')
      ways.push(all(parts.map((part) => part ^ 1)))
      parts.forEach((part, i) => {
        for (const other of parts.slice(0, i)) ways.push(all([other, part]))
      })
    }
    if (!keywords.has('if')) return ways
    const condition = this.#child(schema, 'if')
    if (keywords.has('then')) ways.push(all([condition, this.#child(schema, 'then') ^ 1]))
    if (keywords.has('else')) ways.push(all([condition ^ 1, this.#child(schema, 'else') ^ 1]))
    return ways
  }
}

/** What the items since a branch speak of; `undefined`: of all. */
function seenItems(
  before: Branch,
  end: Branch,
): { prefix: number; contains: readonly Contains[] } | undefined {
  const arrays = end.arrays.slice(before.arrays.length).filter((part) => part.evaluates)
  if (arrays.some((part) => part.rest !== undefined)) return undefined
  return {
    prefix: Math.max(0, ...arrays.map((part) => part.prefix.length)),
    contains: end.contains.slice(before.contains.length).filter((part) => part.evaluates),
  }
}

function each(change: (branch: Branch) => Branch): Step {
  return (branches) => branches.map(change).filter((branch) => !isDead(branch))
}

/** A way that would be needed and cannot be gone: refused once the branch turns out to be possible. */
function cannot({ pointer }: Subschema, keyword: string, what: string, types: number = ALL_TYPES): Step {
  const refused = refuse(`schema: ${pointer}/${keyword}`, what)
  return each((branch) => ({ ...withTypes(branch, types), refused: branch.refused ?? refused }))
}

/** A schema that one value satisfies. */
function sameAs(value: readonly Json[] | JsonObject): JsonObject {
  const constant = (inner: Json): JsonObject => new Map([['const', inner]])
  if (isArray(value))
    return new Map<string, Json>([
      ['type', 'array'],
      ['prefixItems', value.map(constant)],
      ['items', false],
      ['minItems', Decimal.of(value.length)],
    ])
  return new Map<string, Json>([
    ['type', 'object'],
    ['properties', new Map([...value].map(([key, inner]) => [key, constant(inner)]))],
    ['required', [...value.keys()]],
    ['additionalProperties', false],
  ])
}
