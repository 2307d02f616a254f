/** Arrays: items by their place, with counts of those that `contains` speaks of. */
import { refuse } from '../regex/refuse.ts'
import type { Branch, Contains, Literal } from './branch.ts'
import { type Conjunction, Graph } from './graph.ts'
import { isEqual, type Json } from './json-text.ts'
import { type Forms, itemLiterals } from './members.ts'

const MOST_CONTAINS = 3
/** Values of which it is remembered which have been. */
const MOST_VALUES = 10

interface Place {
  /** How many items stand before; all places from `top` on are one, unless there is an upper bound. */
  readonly at: number
  readonly counts: readonly number[]
  /** Which of the values have been: bits. */
  readonly used: number
}

/** @returns no automaton when there is no such array. */
export function buildArray(forms: Forms, branch: Branch, literals: readonly Literal[]): Graph[] {
  const pointer = forms.pointerOf(literals)
  const { minItems: min, maxItems: max } = branch
  // One that asks for nothing was there to tell what it finds.
  const contains = branch.contains.filter((each) => each.min > 0 || each.max < Number.POSITIVE_INFINITY)
  if (min > max) return []
  if (contains.length > MOST_CONTAINS) throw refuse(`schema: ${pointer}`, 'too many "contains" at once')
  const top = Math.max(
    min,
    max < Number.POSITIVE_INFINITY ? max : 0,
    ...branch.arrays.map(({ prefix }) => prefix.length),
    ...contains.map(({ from }) => from),
  )
  const graph = new Graph('array', pointer)
  const unique = branch.unique === undefined || max <= 1 ? undefined : new DistinctValues(forms, branch, top)
  const places: Place[] = []
  const state = (place: Place): number => {
    const at = Math.min(place.at, top)
    const counts = place.counts.map((count, i) => Math.min(count, limitOf(contains[i]!)))
    const id = graph.state(`${at},${place.at > 0},${counts},${place.used}`, place.at > 0)
    places[id] ??= { at: Math.max(at, Math.min(place.at, 1)), counts, used: place.used }
    return id
  }
  state({ at: 0, counts: contains.map(() => 0), used: 0 })
  return [
    graph.build((from) => {
      const { at, counts, used } = places[from]!
      const { edges } = graph.states[from]!
      graph.states[from]!.accepts = at >= min && contains.every(({ min: least }, i) => counts[i]! >= least)
      if (at >= max) return
      for (const option of optionsOf(contains, { at, counts })) {
        const item = forms.conjunction([...itemLiterals(branch, at), ...option.literals])
        const next = { at: at + 1, counts: option.counts }
        if (unique === undefined) edges.push({ key: undefined, value: item, to: state({ ...next, used }) })
        else
          for (const { value, bit } of unique.left(item, used))
            edges.push({ key: undefined, value, to: state({ ...next, used: used | bit }) })
      }
    }),
  ]
}

function limitOf({ min, max }: Contains): number {
  return max === Number.POSITIVE_INFINITY ? min : max + 1
}

interface Option {
  readonly literals: readonly Literal[]
  readonly counts: readonly number[]
}

/** An item counts for a `contains` or it does not; where too many are wrong, one that does not count must not satisfy it. */
function optionsOf(
  contains: readonly Contains[],
  { at, counts }: { at: number; counts: readonly number[] },
): Option[] {
  let options: Option[] = [{ literals: [], counts }]
  contains.forEach(({ literal, min, max, from }, i) => {
    const isBounded = max < Number.POSITIVE_INFINITY
    if (at < from || (!isBounded && counts[i]! >= min)) return
    options = options.flatMap((option) => [
      ...(counts[i]! + 1 > max
        ? []
        : [{ literals: [...option.literals, literal], counts: option.counts.with(i, counts[i]! + 1) }]),
      { ...option, literals: isBounded ? [...option.literals, literal ^ 1] : option.literals },
    ])
  })
  return options
}

/** Items that differ, of a set that is small enough to remember which have been. */
class DistinctValues {
  readonly #forms: Forms
  readonly #values: Json[] = []
  readonly #pointer: string

  constructor(forms: Forms, branch: Branch, top: number) {
    this.#forms = forms
    this.#pointer = branch.unique!
    for (let at = 0; at <= top && at < branch.maxItems; at++)
      this.#learn(forms.conjunction(itemLiterals(branch, at)))
  }

  #learn(item: Conjunction): void {
    const values = this.#forms.finiteValues(item)
    for (const value of values ?? [])
      if (!this.#values.some((known) => isEqual(known, value))) this.#values.push(value)
    if (values !== undefined && this.#values.length <= MOST_VALUES) return
    throw refuse(
      `schema: ${this.#pointer}/uniqueItems`,
      `it is enforced for up to ${MOST_VALUES} known values only`,
    )
  }

  left(item: Conjunction, used: number): { value: Conjunction; bit: number }[] {
    const values = this.#forms.finiteValues(item) ?? []
    return values.flatMap((value) => {
      const bit = 1 << this.#values.findIndex((known) => isEqual(known, value))
      if (used & bit) return []
      const constant = this.#forms.document.made(new Map([['const', value]]), this.#forms.document.root)
      return [{ value: this.#forms.conjunction([2 * constant.id]), bit }]
    })
  }
}
