/** What satisfies a set of schemas: scalars as one language, arrays and objects as automata over further sets. */
import { jsonSpelling, type Spelling } from '../regex/compile-pattern.ts'
import { refuse } from '../regex/refuse.ts'
import { NOTHING, type Regex, type Regexes } from '../regex/regexes.ts'
import { tooLarge } from '../regex/too-large.ts'
import { buildArray } from './arrays.ts'
import { type Branch, isDead, type Literal, NUMBER, TYPE } from './branch.ts'
import { Decimal } from './decimal.ts'
import { Expander } from './expand.ts'
import type { Conjunction, Graph } from './graph.ts'
import { isArray, isEqual, isObject, type Json } from './json-text.ts'
import { type Forms, itemLiterals, keyLiterals } from './members.ts'
import { NumberLanguage } from './numbers.ts'
import { buildObjects } from './objects.ts'
import type { SchemaDocument } from './schema-document.ts'
import { Validator } from './validate.ts'

export interface NormalForm {
  /** Null, booleans, numbers and strings, whole. */
  readonly scalar: Regex
  /** Arrays and objects that are named as they are. */
  readonly values: readonly Json[]
  readonly graphs: readonly Graph[]
}

/** How far down it is looked whether something is impossible. */
const LOOK_DOWN = 3
/** Arrays and objects that are named as they are. */
const MOST_VALUES = 2_000

export class NormalForms implements Forms {
  readonly regexes: Regexes
  readonly document: SchemaDocument
  readonly spelling: Spelling
  readonly expander: Expander
  readonly validator: Validator
  /** Objects take no keys but those that are named, where a schema leaves it open. */
  readonly closed: boolean
  readonly #numbers: NumberLanguage
  readonly #conjunctions: (readonly Literal[])[] = []
  readonly #byKey = new Map<string, Conjunction>()
  #lookDown = 0

  constructor(regexes: Regexes, document: SchemaDocument, { closed = false }: { closed?: boolean } = {}) {
    this.regexes = regexes
    this.document = document
    this.spelling = jsonSpelling(regexes)
    this.closed = closed
    this.#numbers = new NumberLanguage(regexes)
    this.validator = new Validator(document)
    this.expander = new Expander({
      document,
      spelling: this.spelling,
      closed,
      isImpossible: (branch) => this.#isImpossible(branch),
      stringsOf: (literals) => this.stringsOf(literals),
    })
  }

  conjunction(literals: readonly Literal[]): Conjunction {
    const sorted = [...new Set(literals)]
      .filter((literal) => literal !== this.expander.true)
      .sort((a, b) => a - b)
    const key = sorted.join()
    const known = this.#byKey.get(key)
    if (known !== undefined) return known
    this.#conjunctions.push(sorted)
    this.#byKey.set(key, this.#conjunctions.length - 1)
    return this.#conjunctions.length - 1
  }

  literalsOf(conjunction: Conjunction): readonly Literal[] {
    return this.#conjunctions[conjunction]!
  }

  /** Where it comes from, for messages. */
  pointerOf(literals: readonly Literal[]): string {
    return literals.length === 0 ? '' : this.document.get(literals[0]! >> 1).pointer
  }

  of(conjunction: Conjunction): NormalForm {
    const literals = this.#conjunctions[conjunction]!
    const scalars: Regex[] = []
    const values: Json[] = []
    const graphs: Graph[] = []
    for (const branch of this.expander.branches(literals)) {
      if (branch.refused !== undefined && !this.#isImpossible(branch)) throw branch.refused
      if (branch.values !== undefined) {
        for (const value of branch.values) if (this.#satisfies(value, literals)) values.push(value)
        continue
      }
      scalars.push(this.#scalar(branch, literals))
      if (branch.types & TYPE.array) graphs.push(...buildArray(this, branch, literals))
      if (branch.types & TYPE.object) graphs.push(...buildObjects(this, branch, literals))
    }
    const containers = values.filter((value) => isArray(value) || isObject(value))
    const plain = values.filter((value) => !isArray(value) && !isObject(value))
    scalars.push(
      plain.length === 0 ? NOTHING : this.regexes.words(plain.map((value) => this.#spell(value, literals))),
    )
    return { scalar: this.regexes.prune(this.regexes.or(scalars)), values: unique(containers), graphs }
  }

  /** All values of a finite set; `undefined` where there may be more. */
  finiteValues(conjunction: Conjunction): Json[] | undefined {
    const literals = this.#conjunctions[conjunction]!
    const found: Json[] = []
    for (const branch of this.expander.branches(literals)) {
      if (branch.values !== undefined) {
        found.push(...branch.values.filter((value) => this.#satisfies(value, literals)))
        continue
      }
      if ((branch.types & ~(TYPE.null | TYPE.true | TYPE.false)) !== 0) return undefined
      if (branch.types & TYPE.null) found.push(null)
      if (branch.types & TYPE.true) found.push(true)
      if (branch.types & TYPE.false) found.push(false)
    }
    return found.length > MOST_VALUES ? undefined : unique(found)
  }

  /** The inside of all strings that satisfy schemas. */
  stringsOf(literals: readonly Literal[]): Regex {
    const parts = this.expander.branches(literals).map((branch) => {
      if (branch.refused !== undefined && (branch.types & TYPE.string) !== 0) throw branch.refused
      if (branch.values === undefined) return branch.types & TYPE.string ? this.#inside(branch) : NOTHING
      const strings = branch.values.filter(
        (value) => typeof value === 'string' && this.#satisfies(value, literals),
      )
      return this.regexes.or(strings.map((value) => this.expander.literalKey(value as string)))
    })
    return this.regexes.prune(this.regexes.or(parts))
  }

  isKeyAllowed(key: string, names: readonly Literal[]): boolean {
    return this.#satisfies(key, names)
  }

  #satisfies(value: Json, literals: readonly Literal[]): boolean {
    return literals.every((literal) => {
      const schema = this.document.get(literal >> 1)
      return this.validator.isValid(value, schema) === ((literal & 1) === 0)
    })
  }

  #spell(value: Json, literals: readonly Literal[]): string {
    if (typeof value === 'string' && /\p{Surrogate}/u.test(value))
      throw refuse(`schema: ${this.pointerOf(literals)}`, 'a value with half of a character')
    return value instanceof Decimal ? value.toString() : JSON.stringify(value)
  }

  #scalar(branch: Branch, literals: readonly Literal[]): Regex {
    const { regexes } = this
    const parts: Regex[] = []
    if (branch.types & TYPE.null) parts.push(regexes.literal('null'))
    if (branch.types & TYPE.true) parts.push(regexes.literal('true'))
    if (branch.types & TYPE.false) parts.push(regexes.literal('false'))
    if (branch.types & NUMBER) parts.push(this.#number(branch, literals))
    if (branch.types & TYPE.string) {
      const quote = regexes.byte(0x22)
      parts.push(regexes.concat(quote, this.#inside(branch), quote))
    }
    return regexes.or(parts)
  }

  #number(branch: Branch, literals: readonly Literal[]): Regex {
    const regex = this.#numbers.of({
      ...branch,
      integers: (branch.types & TYPE.integer) !== 0,
      fractions: (branch.types & TYPE.fraction) !== 0,
      not: branch.notValues.filter((value): value is Decimal => value instanceof Decimal),
    })
    if (regex === undefined)
      throw refuse(`schema: ${this.pointerOf(literals)}/multipleOf`, 'the step has too many digits')
    return regex
  }

  #inside(branch: Branch): Regex {
    const { regexes, spelling } = this
    const { minLength: min, maxLength: max } = branch
    if (min > max) return NOTHING
    const any = spelling.of([0, 0xd7ff, 0xe000, 0x10ffff])
    const not = branch.notValues.filter((value) => typeof value === 'string')
    const parts = [...branch.strings, ...not.map((value) => regexes.not(this.expander.literalKey(value)))]
    const isLong = min > 0 ? regexes.repeat(any, min, Number.POSITIVE_INFINITY) : spelling.text
    const [pattern] = branch.strings
    const body =
      parts.length === 1 && pattern !== undefined && this.#isLong(pattern, min)
        ? pattern
        : regexes.and([isLong, ...parts])
    if (max === Number.POSITIVE_INFINITY) return body
    return regexes.limit(body, max) ?? regexes.and([regexes.repeat(any, min, max), ...parts])
  }

  /** Whether a pattern takes texts of so many characters only: one that is no complement takes nothing but text. */
  #isLong(pattern: Regex, min: number): boolean {
    const { regexes, spelling } = this
    if (regexes.node(pattern).kind === 'not') return false
    if (min === 0) return true
    const any = spelling.of([0, 0xd7ff, 0xe000, 0x10ffff])
    return regexes.includes(regexes.concat(regexes.repeat(any, min, min), regexes.all), pattern)
  }

  /** Whether nothing satisfies a branch, looking a few levels down. */
  #isImpossible(branch: Branch): boolean {
    if (isDead(branch)) return true
    if (branch.values !== undefined)
      return branch.values.every((value) => (typeOf(value) & branch.types) === 0)
    if (branch.types & (TYPE.null | TYPE.true | TYPE.false)) return false
    if (branch.types & NUMBER && !this.regexes.isEmpty(this.#number(branch, []))) return false
    if (branch.types & TYPE.string && !this.regexes.isEmpty(this.#inside(branch))) return false
    if (branch.types & TYPE.array && !this.#isImpossibleArray(branch)) return false
    return (branch.types & TYPE.object) === 0 || this.#isImpossibleObject(branch)
  }

  #isImpossibleArray(branch: Branch): boolean {
    if (branch.minItems > branch.maxItems) return true
    const first = Math.min(branch.minItems, 8)
    return Array.from({ length: first }, (_, i) => i).some((i) =>
      this.#isImpossibleSet(itemLiterals(branch, i)),
    )
  }

  #isImpossibleObject(branch: Branch): boolean {
    if (branch.minProperties > branch.maxProperties || branch.required.length > branch.maxProperties)
      return true
    return branch.required.some((key) => this.#isImpossibleSet(keyLiterals(this, branch, key)))
  }

  #isImpossibleSet(literals: readonly Literal[]): boolean {
    if (this.#lookDown >= LOOK_DOWN) return false
    this.#lookDown++
    try {
      return this.expander.branches(literals).every((branch) => this.#isImpossible(branch))
    } finally {
      this.#lookDown--
    }
  }
}

function typeOf(value: Json): number {
  if (value === null) return TYPE.null
  if (typeof value === 'boolean') return value ? TYPE.true : TYPE.false
  if (typeof value === 'string') return TYPE.string
  if (value instanceof Decimal) return value.isInteger ? TYPE.integer : TYPE.fraction
  return isArray(value) ? TYPE.array : TYPE.object
}

function unique(values: readonly Json[]): Json[] {
  if (values.length > MOST_VALUES) throw tooLarge('it lists too many arrays and objects')
  return values.filter((value, i) => !values.slice(0, i).some((other) => isEqual(value, other)))
}
