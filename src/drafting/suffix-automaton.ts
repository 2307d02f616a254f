/**
 * The suffix automaton of a growing sequence of ids (Blumer et al., 1985): the smallest automaton that accepts every part of
 * it. Adding an id costs amortized constant time, and after each the longest suffix that was there before is known, with a
 * place where it was. Transitions are entries of one hash table, so that a state costs no object.
 */
export class SuffixAutomaton {
  /** Of each state: length of its longest text, suffix link, a place right behind it, its first transition. */
  #length = new Int32Array(STATES)
  #link = new Int32Array(STATES)
  #end = new Int32Array(STATES)
  #first = new Int32Array(STATES)
  #states = 0
  /** Of each transition: from, id, to, the next one of the same state. */
  #from = new Int32Array(STATES)
  #id = new Int32Array(STATES)
  #to = new Int32Array(STATES)
  #next = new Int32Array(STATES)
  #transitions = 0
  /** Numbers of transitions by a hash of state and id; -1 is free. */
  #table = new Int32Array(2 * STATES).fill(-1)
  #last: number
  #count = 0
  /** Length of the longest suffix that is also elsewhere. */
  matched = 0
  /** Where the id stands that followed it there; meaningless while `matched` is 0. */
  follows = 0

  constructor() {
    this.#last = this.#addState(0, -1, 0)
  }

  /** Ids so far. */
  get length(): number {
    return this.#count
  }

  add(id: number): void {
    const state = this.#addState(++this.#count, 0, this.#count)
    let at = this.#last
    for (; at >= 0 && this.#find(at, id) < 0; at = this.#link[at]!) this.#connect(at, id, state)
    if (at >= 0) this.#link[state] = this.#linkFor(at, id)
    this.#last = state
    const match = this.#link[state]!
    this.matched = this.#length[match]!
    this.follows = this.#end[match]!
    // The next time the latest place counts.
    this.#end[match] = this.#count
  }

  /** What comes next is of another text: nothing matches across. */
  separate(): void {
    this.#last = 0
    this.#count++
    this.matched = 0
  }

  /** The state of the texts that end with `id` after those of `at`; a state that has longer ones too is parted. */
  #linkFor(at: number, id: number): number {
    const target = this.#to[this.#find(at, id)]!
    const length = this.#length[at]! + 1
    if (this.#length[target] === length) return target
    const copy = this.#addState(length, this.#link[target]!, this.#end[target]!)
    for (let t = this.#first[target]!; t >= 0; t = this.#next[t]!)
      this.#connect(copy, this.#id[t]!, this.#to[t]!)
    this.#link[target] = copy
    for (let from = at; from >= 0; from = this.#link[from]!) {
      const transition = this.#find(from, id)
      if (transition < 0 || this.#to[transition] !== target) break
      this.#to[transition] = copy
    }
    return copy
  }

  #addState(length: number, link: number, end: number): number {
    const state = this.#states++
    if (state === this.#length.length) {
      this.#length = doubled(this.#length)
      this.#link = doubled(this.#link)
      this.#end = doubled(this.#end)
      this.#first = doubled(this.#first)
    }
    this.#length[state] = length
    this.#link[state] = link
    this.#end[state] = end
    this.#first[state] = -1
    return state
  }

  #connect(from: number, id: number, to: number): void {
    const transition = this.#transitions++
    if (transition === this.#from.length) this.#growTransitions()
    this.#from[transition] = from
    this.#id[transition] = id
    this.#to[transition] = to
    this.#next[transition] = this.#first[from]!
    this.#first[from] = transition
    this.#table[this.#slot(from, id)] = transition
  }

  #find(from: number, id: number): number {
    return this.#table[this.#slot(from, id)]!
  }

  /** Where the transition is in the table, or would be. */
  #slot(from: number, id: number): number {
    const mask = this.#table.length - 1
    let slot = (Math.imul(from, 0x9e3779b1) ^ Math.imul(id, 0x85ebca6b)) >>> 7
    for (slot &= mask; ; slot = (slot + 1) & mask) {
      const transition = this.#table[slot]!
      if (transition < 0 || (this.#from[transition] === from && this.#id[transition] === id)) return slot
    }
  }

  #growTransitions(): void {
    this.#from = doubled(this.#from)
    this.#id = doubled(this.#id)
    this.#to = doubled(this.#to)
    this.#next = doubled(this.#next)
    this.#table = new Int32Array(2 * this.#from.length).fill(-1)
    for (let t = 0; t < this.#transitions - 1; t++) this.#table[this.#slot(this.#from[t]!, this.#id[t]!)] = t
  }
}

const STATES = 512

function doubled(array: Int32Array<ArrayBuffer>): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(2 * array.length)
  larger.set(array)
  return larger
}
