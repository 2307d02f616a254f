/**
 * Texts that begin alike share what was computed of their beginning. A tree of full pages: a node is the page of its 128 ids
 * after the pages of all nodes above it, since keys and values depend on the whole text before them. Pages are shared by
 * counting, never copied; the tree is one holder of each of its pages.
 *
 * A text that runs pins the nodes it uses. Of the others leaves go first, the one that was not used for longest: a page is
 * worth nothing without those before it.
 */
import { PAGE, type Page } from '../backend/kv.ts'

interface Node {
  /** Where it is found: below its parent, or among an owner's first pages. */
  readonly siblings: Children
  /** Its 128 ids. */
  readonly ids: Int32Array
  readonly page: Page
  readonly children: Children
  /** Texts that use it, or a node below it last. */
  pins: number
  usedAt: number
}

/** By a hash of their ids; ids are compared. */
type Children = Map<number, Node[]>

/** Pages of a text, from the first on, and whose it is. */
interface Place {
  readonly path: readonly Node[]
  readonly owner: string
}

export interface PrefixTreeOptions {
  /** Pages that it may hold; pinned ones count, and stay. Default: no limit. */
  readonly most?: number
}

export class PrefixTree {
  /** First pages, by whose texts they are of: nobody is told by the time that something takes what others have asked. */
  readonly #roots = new Map<string, Children>()
  #most: number
  #size = 0
  #clock = 0

  constructor({ most = Number.POSITIVE_INFINITY }: PrefixTreeOptions = {}) {
    this.#most = most
  }

  /** Pages that it holds. */
  get size(): number {
    return this.#size
  }

  /** How many of `ids`, from the first on, it has pages for. */
  lengthOf(ids: Int32Array, owner = ''): number {
    return PAGE * this.#find(ids, owner).length
  }

  /** The pages that `ids` begin with. They stay until the pin is released. */
  pin(ids: Int32Array, owner = ''): Pin {
    const path = this.#find(ids, owner)
    const now = ++this.#clock
    for (const node of path) node.usedAt = now
    return new Pin(this, path, owner)
  }

  /** The nodes of `path`, and below them the pages of `ids` that it did not have. */
  extend({ path, owner }: Place, ids: Int32Array, pages: readonly Page[]): Node[] {
    const nodes = [...path]
    const now = ++this.#clock
    for (let i = nodes.length; i < pages.length && PAGE * (i + 1) <= ids.length; i++) {
      nodes.push(
        this.#childOf(this.#below(nodes.at(-1), owner), ids.slice(PAGE * i, PAGE * (i + 1)), pages[i]!),
      )
    }
    for (const node of nodes) node.usedAt = now
    return nodes
  }

  /** No more pages than it may hold. Called when a pin has changed. */
  tidy(): void {
    if (this.#size > this.#most) this.reclaim(this.#size - this.#most)
  }

  /** Lets go of `count` pages that no text uses, or of as many as there are. @returns how many */
  reclaim(count: number): number {
    for (let i = 0; i < count; i++) {
      const leaf = this.#oldestLeaf()
      if (leaf === undefined) return i
      this.#remove(leaf)
    }
    return count
  }

  /** Lets go of all pages: of those that texts use when these end. */
  close(): void {
    this.#most = 0
    this.tidy()
  }

  #find(ids: Int32Array, owner: string): Node[] {
    const path: Node[] = []
    for (let at = 0; at + PAGE <= ids.length; at += PAGE) {
      const siblings = this.#below(path.at(-1), owner)
      const node = lookUp(siblings, ids.subarray(at, at + PAGE))
      if (node === undefined) break
      path.push(node)
    }
    return path
  }

  #below(parent: Node | undefined, owner: string): Children {
    const known = parent?.children ?? this.#roots.get(owner)
    if (known !== undefined) return known
    const roots: Children = new Map()
    this.#roots.set(owner, roots)
    return roots
  }

  #childOf(siblings: Children, ids: Int32Array, page: Page): Node {
    const known = lookUp(siblings, ids)
    if (known !== undefined) return known
    page.retain()
    const node: Node = { siblings, ids, page, children: new Map(), pins: 0, usedAt: 0 }
    const hash = hashOf(ids)
    siblings.set(hash, [...(siblings.get(hash) ?? []), node])
    this.#size++
    return node
  }

  #oldestLeaf(): Node | undefined {
    let oldest: Node | undefined
    const visit = (nodes: Children): void => {
      for (const siblings of nodes.values()) {
        for (const node of siblings) {
          if (node.children.size > 0) visit(node.children)
          else if (node.pins === 0 && (oldest === undefined || node.usedAt < oldest.usedAt)) oldest = node
        }
      }
    }
    for (const roots of this.#roots.values()) visit(roots)
    return oldest
  }

  #remove(node: Node): void {
    const { siblings } = node
    const hash = hashOf(node.ids)
    const others = siblings.get(hash)!.filter((each) => each !== node)
    if (others.length > 0) siblings.set(hash, others)
    else siblings.delete(hash)
    node.page.release()
    this.#size--
  }
}

/** What one text uses of the tree. */
export class Pin {
  readonly #tree: PrefixTree
  readonly #owner: string
  #path: readonly Node[]

  constructor(tree: PrefixTree, path: readonly Node[], owner: string) {
    this.#tree = tree
    this.#path = path
    this.#owner = owner
    this.#last(1)
  }

  /** First to last. */
  get pages(): readonly Page[] {
    return this.#path.map(({ page }) => page)
  }

  /** The text has grown: the pages of `ids` are there for others as well. */
  extend(ids: Int32Array, pages: readonly Page[]): void {
    if (pages.length <= this.#path.length) return
    const path = this.#tree.extend({ path: this.#path, owner: this.#owner }, ids, pages)
    this.#last(-1)
    this.#path = path
    this.#last(1)
    this.#tree.tidy()
  }

  release(): void {
    this.#last(-1)
    this.#path = []
    this.#tree.tidy()
  }

  /** Those above it have a child, and stay as long. */
  #last(change: number): void {
    const node = this.#path.at(-1)
    if (node !== undefined) node.pins += change
  }
}

function lookUp(siblings: Children, ids: Int32Array): Node | undefined {
  return siblings.get(hashOf(ids))?.find((node) => isEqual(node.ids, ids))
}

function isEqual(a: Int32Array, b: Int32Array): boolean {
  for (let i = 0; i < PAGE; i++) if (a[i] !== b[i]) return false
  return true
}

/** FNV-1a over whole ids. */
function hashOf(ids: Int32Array): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < PAGE; i++) hash = Math.imul(hash ^ ids[i]!, 0x01000193)
  return hash
}
