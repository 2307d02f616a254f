interface Node {
  readonly next: Map<number, Node>
  /** The longest proper suffix that is also in the trie. */
  suffix: Node | undefined
  /** Code units from the root. */
  readonly depth: number
  /** The longest needle that ends here. */
  needle: string | undefined
}

/**
 * Finds the first of several strings in a text that arrives in pieces (Aho and Corasick, 1975). "First" is the occurrence
 * that ends first; of those that end together, the longest. Never more than the longest string is held back.
 */
export class StringMatcher {
  readonly #root: Node
  #at: Node
  #heldBack = ''
  /** The string that was found. Nothing is read after it until `reset`. */
  matched: string | undefined

  constructor(needles: readonly string[]) {
    this.#root = buildTrie(needles)
    this.#at = this.#root
  }

  /**
   * Reads `text` up to the end of the first match, and gives the text before what may be, or is, a match.
   * `rest` is then what was not read.
   */
  push(text: string): string {
    if (this.matched !== undefined) return ''
    let i = 0
    while (i < text.length && this.#at.needle === undefined) this.#step(text.charCodeAt(i++))
    const all = this.#heldBack + text.slice(0, i)
    this.rest = text.slice(i)
    const matched = this.#at.needle
    const certain = all.length - (matched === undefined ? this.#at.depth : matched.length)
    this.#heldBack = matched === undefined ? all.slice(certain) : ''
    return certain === all.length ? all : all.slice(0, certain)
  }

  /** What the last `push` left unread, after a match. */
  rest = ''

  /** What was held back and turned out to be plain text. */
  flush(): string {
    const heldBack = this.#heldBack
    this.reset()
    return heldBack
  }

  reset(): void {
    this.#at = this.#root
    this.#heldBack = ''
    this.rest = ''
    this.matched = undefined
  }

  #step(unit: number): void {
    let node: Node | undefined = this.#at
    while (node !== undefined && !node.next.has(unit)) node = node.suffix
    this.#at = node === undefined ? this.#root : node.next.get(unit)!
    this.matched = this.#at.needle
  }
}

function buildTrie(needles: readonly string[]): Node {
  const root: Node = { next: new Map(), suffix: undefined, depth: 0, needle: undefined }
  for (const needle of needles) insert(root, needle)
  const queue = [root]
  for (const node of queue) {
    for (const [unit, child] of node.next) {
      child.suffix = node === root ? root : follow(node.suffix!, unit, root)
      child.needle ??= child.suffix.needle
      queue.push(child)
    }
  }
  return root
}

function insert(root: Node, needle: string): void {
  let node = root
  for (let i = 0; i < needle.length; i++) {
    const unit = needle.charCodeAt(i)
    let child = node.next.get(unit)
    if (child === undefined) {
      child = { next: new Map(), suffix: undefined, depth: i + 1, needle: undefined }
      node.next.set(unit, child)
    }
    node = child
  }
  node.needle = needle
}

function follow(from: Node, unit: number, root: Node): Node {
  let node: Node | undefined = from
  while (node !== undefined && !node.next.has(unit)) node = node.suffix
  return node?.next.get(unit) ?? root
}
