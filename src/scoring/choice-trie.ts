/**
 * The ids of some choices as a tree: choices that begin alike share what they begin with. What has to be run of it are its
 * branches, one for each choice that no longer one begins with; each goes on from the same prompt, so all fit into one run.
 * Of what two branches share, the first gives the rows.
 *
 * With end ids a choice counts as long as the answer ends behind it, or "no" would always be likelier than "not sure".
 */
import { anyOf, totalOf } from './row-logprobs.ts'

/** What one sequence runs behind the prompt. */
export interface Branch {
  readonly ids: Int32Array
  /** The first of its ids whose row is wanted; the row of one before is given by another branch. */
  readonly first: number
  /** Reads the row that comes after the id at `index`. */
  read(row: Float32Array, index: number): void
}

interface Node {
  readonly depth: number
  readonly children: Map<number, Node>
  /** Choices whose last id this is. */
  readonly ending: number[]
  /** ln of the probability of its id after those before. */
  logprob: number
  /** ln of the probability that the answer ends behind it; 0 where that is not counted. */
  end: number
  /** A branch gives the row behind it. */
  isGiven: boolean
}

export class ChoiceTrie {
  readonly #root = newNode(0)
  readonly #count: number
  /** Absent: a choice may go on. */
  readonly #ends: ReadonlySet<number> | undefined
  readonly branches: readonly Branch[]

  /** @param ends what ends an answer; without it, or where there is none, the end is not counted */
  constructor(choices: readonly Int32Array[], ends?: ReadonlySet<number>) {
    this.#count = choices.length
    this.#ends = ends !== undefined && ends.size > 0 ? ends : undefined
    for (const [i, ids] of choices.entries()) this.#add(ids, i)
    this.branches = this.#branchesOf(this.#root, [], [])
  }

  /** ln of the probability of each choice, once the root and all branches are read, in whatever order. */
  logprobs(): number[] {
    const found = new Array<number>(this.#count).fill(0)
    const visit = ({ children, ending, end }: Node, logprob: number): void => {
      for (const choice of ending) found[choice] = logprob + end
      for (const child of children.values()) visit(child, logprob + child.logprob)
    }
    visit(this.#root, 0)
    return found
  }

  /** The row behind the prompt. */
  readRoot(row: Float32Array): void {
    this.#read(this.#root, row)
  }

  #add(ids: Int32Array, choice: number): void {
    let node = this.#root
    for (const id of ids) {
      let next = node.children.get(id)
      if (next === undefined) {
        next = newNode(node.depth + 1)
        node.children.set(id, next)
      }
      node = next
    }
    node.ending.push(choice)
  }

  /** Whether anything is read from the row behind it. */
  #needsRow({ children, ending }: Node): boolean {
    return children.size > 0 || (this.#ends !== undefined && ending.length > 0)
  }

  /** Of the nodes below `node` in the order of their ids, whatever the order of the choices. */
  #branchesOf(node: Node, ids: readonly number[], path: readonly Node[]): Branch[] {
    const below = [...node.children].sort(([a], [b]) => a - b).filter(([, child]) => this.#needsRow(child))
    if (below.length === 0) return path.length === 0 ? [] : [this.#branch(ids, path)]
    return below.flatMap(([id, child]) => this.#branchesOf(child, [...ids, id], [...path, child]))
  }

  #branch(ids: readonly number[], path: readonly Node[]): Branch {
    const first = path.findIndex(({ isGiven }) => !isGiven)
    for (const node of path) node.isGiven = true
    return {
      ids: Int32Array.from(ids),
      first,
      read: (row, index) => this.#read(path[index]!, row),
    }
  }

  #read(node: Node, row: Float32Array): void {
    const total = totalOf(row, node.depth)
    for (const [id, child] of node.children) child.logprob = row[id]! - total
    if (this.#ends !== undefined && node.ending.length > 0) node.end = anyOf(this.#ends, row, total)
  }
}

function newNode(depth: number): Node {
  return { depth, children: new Map(), ending: [], logprob: 0, end: 0, isGiven: false }
}
