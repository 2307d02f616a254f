/** The members of an object, or the items of an array, as an automaton: which may come next, and where it may end. */
import { refuse } from '../regex/refuse.ts'
import type { Regex } from '../regex/regexes.ts'

/** A set of schemas that all hold, by number. */
export type Conjunction = number

interface Edge {
  /** The inside of the key; `undefined` for an item. */
  readonly key: Regex | undefined
  readonly value: Conjunction
  readonly to: number
}

interface GraphState {
  readonly edges: Edge[]
  readonly empties: number[]
  accepts: boolean
  /** Something stands before it: the next is set off by a comma. */
  readonly isWritten: boolean
}

const MOST_STATES = 30_000

export class Graph {
  readonly type: 'object' | 'array'
  states: GraphState[] = []
  readonly #byKey = new Map<string, number>()
  readonly #pointer: string
  /** In the order in which they were asked for: those that have yet to get their edges are at the end. */
  readonly #open: number[] = []

  constructor(type: 'object' | 'array', pointer: string) {
    this.type = type
    this.#pointer = pointer
  }

  /** The state of a key, made with its edges later: see `build`. */
  state(key: string, isWritten: boolean): number {
    const known = this.#byKey.get(key)
    if (known !== undefined) return known
    if (this.states.length >= MOST_STATES)
      throw refuse(`schema: ${this.#pointer}`, 'its bounds on counts are too large')
    this.states.push({ edges: [], empties: [], accepts: false, isWritten })
    this.#byKey.set(key, this.states.length - 1)
    this.#open.push(this.states.length - 1)
    return this.states.length - 1
  }

  build(make: (state: number) => void): this {
    for (let at = this.#open.pop(); at !== undefined; at = this.#open.pop()) make(at)
    return this
  }

  get children(): Conjunction[] {
    return this.states.flatMap(({ edges }) => edges.map(({ value }) => value))
  }

  /** The states from which an end can be reached, given which values there are. */
  #alive(isProductive: (value: Conjunction) => boolean): Uint8Array {
    const before: number[][] = this.states.map(() => [])
    this.states.forEach(({ edges, empties }, from) => {
      for (const to of empties) before[to]!.push(from)
      for (const { value, to } of edges) if (isProductive(value)) before[to]!.push(from)
    })
    const alive = new Uint8Array(this.states.length)
    const open = this.states.flatMap(({ accepts }, state) => (accepts ? [state] : []))
    for (const state of open) alive[state] = 1
    for (let at = open.pop(); at !== undefined; at = open.pop())
      for (const from of before[at]!) {
        if (alive[from] === 1) continue
        alive[from] = 1
        open.push(from)
      }
    return alive
  }

  isProductive(isProductive: (value: Conjunction) => boolean): boolean {
    return this.states.length > 0 && this.#alive(isProductive)[0] === 1
  }

  /** Leaves what leads to an end. */
  prune(isProductive: (value: Conjunction) => boolean): void {
    const alive = this.#alive(isProductive)
    this.states = this.states.map((state) => ({
      ...state,
      edges: state.edges.filter(({ value, to }) => alive[to] === 1 && isProductive(value)),
      empties: state.empties.filter((to) => alive[to] === 1),
    }))
  }
}
