/**
 * Objects: keys in the order of their schemas, then those that are only required, then free ones. A free key is none of the
 * declared ones; which patterns it satisfies divides the free keys into regions, each with its own schemas.
 */
import { refuse } from '../regex/refuse.ts'
import { NOTHING, type Regex } from '../regex/regexes.ts'
import { type Branch, type Literal, type Witness, withObject, withRequired } from './branch.ts'
import { type Conjunction, Graph } from './graph.ts'
import { type Forms, keyLiterals, matches } from './members.ts'

interface Region {
  readonly keys: Regex
  readonly literals: readonly Literal[]
}

const MOST_REGIONS = 256
const MOST_PATTERNS = 16
const MOST_KEYS = 4_000

/** @returns one automaton for each way to have the properties that must be there somewhere. */
export function buildObjects(forms: Forms, branch: Branch, literals: readonly Literal[]): Graph[] {
  return withWitnesses(forms, branch).flatMap(({ branch: each, free }) => {
    const graph = buildObject(forms, each, { free, pointer: forms.pointerOf(literals) })
    return graph === undefined ? [] : [graph]
  })
}

interface Witnessed {
  readonly branch: Branch
  /** Those that are left to the free keys. */
  readonly free: readonly Witness[]
}

/** Each declared key of the language can be the one that must be there, or a free one is. */
function withWitnesses(forms: Forms, branch: Branch): Witnessed[] {
  let all: Witnessed[] = [{ branch: { ...branch, witnesses: [] }, free: [] }]
  for (const witness of branch.witnesses) {
    all = all.flatMap((each) => [
      ...declaredKeys(each.branch)
        .filter((key) => matches(forms, witness.keys, key))
        .map((key) => ({
          ...each,
          branch: withObject(withRequired(each.branch, [key]), {
            properties: new Map([[key, witness.literal]]),
          }),
        })),
      { ...each, free: [...each.free, witness] },
    ])
    if (all.length > MOST_REGIONS) throw refuse('schema', 'too many combinations of alternatives')
  }
  return all
}

function declaredKeys(branch: Branch): string[] {
  return [
    ...new Set([...branch.objects.flatMap(({ properties }) => [...properties.keys()]), ...branch.required]),
  ]
}

interface ObjectOptions {
  readonly free: readonly Witness[]
  readonly pointer: string
}

function buildObject(forms: Forms, branch: Branch, { free, pointer }: ObjectOptions): Graph | undefined {
  const keys = declaredKeys(branch)
  if (keys.length > MOST_KEYS) throw refuse(`schema: ${pointer}`, `more than ${MOST_KEYS} properties`)
  const isLone = (key: string) => /\p{Surrogate}/u.test(key)
  if (keys.some(isLone)) throw refuse(`schema: ${pointer}`, 'a key with half of a character')
  const required = new Set(branch.required)
  const declared: { key: string; value: Conjunction; isRequired: boolean }[] = []
  for (const key of keys) {
    const literals = keyLiterals(forms, branch, key)
    const isRequired = required.has(key)
    const isAllowed = !literals.includes(forms.expander.false) && forms.isKeyAllowed(key, branch.names)
    if (isAllowed) declared.push({ key, value: forms.conjunction(literals), isRequired })
    else if (isRequired) return undefined
  }
  const regions = freeRegions(forms, branch, keys)
  const { minProperties: min, maxProperties: max } = branch
  if (min > max) return undefined
  // A free key can come twice, and a reader then keeps one of them.
  if (regions.length > 0 && min > declared.length + 1)
    throw refuse(
      `schema: ${pointer}/minProperties`,
      'more than one property without a name cannot be counted',
      'name the properties, or take one of them as the least',
    )
  // Beyond these counts nothing changes any more.
  const top = max < declared.length || (max < Number.POSITIVE_INFINITY && regions.length > 0) ? max : min
  const most = Math.max(min, top)
  const graph = new Graph('object', pointer)
  const states: { at: number; count: number; done: number }[] = []
  const state = (at: number, count: number, done: number): number => {
    const capped = Math.min(count, most)
    const id = graph.state(`${at},${capped},${count > 0},${done}`, count > 0)
    states[id] ??= { at, count: Math.max(capped, Math.min(count, 1)), done }
    return id
  }
  const all = 2 ** free.length - 1
  state(0, 0, 0)
  return graph.build((from) => {
    const { at, count, done } = states[from]!
    const { edges, empties } = graph.states[from]!
    const isFull = count >= max
    if (at < declared.length) {
      const { key, value, isRequired } = declared[at]!
      if (!isFull)
        edges.push({ key: forms.expander.literalKey(key), value, to: state(at + 1, count + 1, done) })
      if (!isRequired) empties.push(state(at + 1, count, done))
      return
    }
    graph.states[from]!.accepts = count >= min && done === all
    if (isFull) return
    for (const region of regions) {
      edges.push({
        key: region.keys,
        value: forms.conjunction(region.literals),
        to: state(at, count + 1, done),
      })
      free.forEach((witness, i) => {
        if ((done >> i) & 1) return
        const both = forms.regexes.prune(forms.regexes.and([region.keys, witness.keys]))
        if (both === NOTHING) return
        const value = forms.conjunction([...region.literals, witness.literal])
        edges.push({ key: both, value, to: state(at, count + 1, done | (1 << i)) })
      })
    }
  })
}

/** The keys that are not declared, by the patterns they satisfy. */
function freeRegions(forms: Forms, branch: Branch, declared: readonly string[]): Region[] {
  const { regexes, spelling, expander } = forms
  const names = branch.names.length === 0 ? spelling.text : forms.stringsOf(branch.names)
  const isClosed =
    forms.closed &&
    branch.objects.some((part) => part.properties.size > 0 && part.evaluates) &&
    branch.objects.every((part) => part.additional === undefined)
  const patterns = [
    ...new Map(branch.objects.flatMap((part) => part.patterns.map((each) => [each.keys, each]))).keys(),
  ]
  if (patterns.length > MOST_PATTERNS)
    throw refuse('schema', `more than ${MOST_PATTERNS} patterns of keys at once`)
  const closing = branch.objects.some((part) => part.additional === expander.false)
  // Where no other key is allowed, regions are those of the patterns; else the rest of all keys as well.
  if ((closing || isClosed) && patterns.length === 0) return []
  const known =
    declared.length === 0 ? NOTHING : regexes.words(declared.map((key) => JSON.stringify(key).slice(1, -1)))
  let cells: { keys: Regex; satisfied: ReadonlySet<Regex> }[] = [
    { keys: regexes.prune(regexes.and([names, regexes.not(known)])), satisfied: new Set() },
  ]
  for (const pattern of patterns) {
    cells = cells.flatMap(({ keys, satisfied }) => [
      { keys: regexes.prune(regexes.and([keys, pattern])), satisfied: new Set([...satisfied, pattern]) },
      { keys: regexes.prune(regexes.and([keys, regexes.not(pattern)])), satisfied },
    ])
    cells = cells.filter(({ keys }) => keys !== NOTHING)
    if (cells.length > MOST_REGIONS) throw refuse('schema', 'too many patterns of keys that overlap')
  }
  return cells.flatMap(({ keys, satisfied }) => {
    if (keys === NOTHING || (isClosed && satisfied.size === 0)) return []
    const literals = branch.objects.flatMap((part) => {
      const found = part.patterns.filter((each) => satisfied.has(each.keys)).map(({ literal }) => literal)
      return found.length > 0 || part.additional === undefined ? found : [part.additional]
    })
    return literals.includes(expander.false) ? [] : [{ keys, literals }]
  })
}
