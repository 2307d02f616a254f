/**
 * Regular expressions over bytes, with intersection and complement. Each expression is kept once and named by a number, so
 * that an expression is a state of an automaton as well: its derivative by a byte is the expression of what may follow.
 * Bounded repeats are counters: `a{0,100000}` is one node, and its derivatives are made as they are reached.
 */
import { type ByteClasses, type ByteSet, ByteSets, classesOf } from './byte-sets.ts'
import type { Machine } from './machine.ts'
import { tooLarge } from './too-large.ts'
import { nextPhase, type UnitPhase } from './units.ts'

/** A number that names an expression within its `Regexes`. */
export type Regex = number

/** Matches nothing. */
export const NOTHING: Regex = 0
/** Matches the empty word. */
export const EMPTY: Regex = 1

export const UNBOUNDED = Number.POSITIVE_INFINITY

const MOST_NODES = 1 << 22
/** States looked at to decide whether an intersection or a complement matches anything. */
const MOST_STATES = 1 << 14
/** The same in all decisions together. */
const MOST_LOOKED_AT = 1 << 16
const MOST_REMEMBERED = 1 << 20
/** Places in a character, however it is spelled. */
const MOST_SHORT = 256

type Node =
  | { readonly kind: 'nothing' | 'empty' }
  | { readonly kind: 'bytes'; readonly set: number }
  | { readonly kind: 'concat'; readonly head: Regex; readonly tail: Regex }
  | { readonly kind: 'or' | 'and'; readonly parts: readonly Regex[] }
  | { readonly kind: 'not'; readonly body: Regex }
  | { readonly kind: 'repeat'; readonly body: Regex; readonly min: number; readonly max: number }
  | { readonly kind: 'machine'; readonly machine: number; readonly state: number }
  | Limit

/** The words of an expression with so many characters at most. */
interface Limit {
  readonly kind: 'limit'
  readonly body: Regex
  readonly left: number
  /** Where in the spelling of a character it stands: see `UnitPhase`. */
  readonly phase: UnitPhase
  /** From wherever it is, the body can end within so many characters. */
  readonly slack: number
}

export class Regexes {
  readonly sets = new ByteSets()
  /** Matches all words. */
  readonly all: Regex
  readonly #nodes: Node[] = []
  readonly #nullable: boolean[] = []
  /** No intersection, complement or the like in it: what matches nothing has been left out when it was made. */
  readonly #plain: boolean[] = []
  readonly #byKey = new Map<string, Regex>()
  readonly #literals = new Map<string, Regex>()
  readonly #pruned = new Map<Regex, Regex>()
  /** Whether an expression matches anything, as far as it has been found out. */
  readonly #alive = new Map<Regex, boolean>()
  readonly #concats = new Map<number, Regex>()
  readonly #derivatives = new Map<number, Regex>()
  readonly #classes = new Map<string, ByteClasses>()
  readonly #shortest = new Map<number, number>()
  readonly #shortestWords = new Map<Regex, readonly number[] | undefined>()
  readonly #finite = new Map<Regex, boolean>()
  readonly #texts = new Map<Regex, boolean>()
  /** All that the inside of a JSON string can be, once somebody has asked for it. */
  text: Regex = NOTHING
  readonly #machines: Machine[] = []
  readonly #machineSets: number[][] = []
  readonly #utf8 = new TextEncoder()
  #units: readonly number[] | undefined
  #lookedAt = 0

  readonly #alphabet: number | undefined

  /** @param alphabet the only bytes there are; all 256 by default. */
  constructor(alphabet?: ByteSet) {
    this.#alphabet = alphabet && this.sets.id(alphabet)
    this.#add('0', { kind: 'nothing' }, false)
    this.#add('1', { kind: 'empty' }, true)
    this.all = this.#add('all', { kind: 'not', body: NOTHING }, true)
  }

  /** How many expressions there are: what the memory grows with. */
  get size(): number {
    return this.#nodes.length
  }

  isNullable(regex: Regex): boolean {
    return this.#nullable[regex]!
  }

  node(regex: Regex): Node {
    return this.#nodes[regex]!
  }

  bytes(set: ByteSet): Regex {
    return this.#ofSet(this.sets.id(set))
  }

  byte(byte: number): Regex {
    return this.#ofSet(this.sets.ofByte(byte))
  }

  range(from: number, to: number): Regex {
    return this.#ofSet(this.sets.ofRange(from, to))
  }

  /** The UTF-8 of a text. */
  literal(text: string): Regex {
    const known = this.#literals.get(text)
    if (known !== undefined) return known
    const bytes = this.#utf8.encode(text)
    let regex = EMPTY
    for (let i = bytes.length - 1; i >= 0; i--) regex = this.concat(this.byte(bytes[i]!), regex)
    this.#literals.set(text, regex)
    return regex
  }

  /** One of the texts: a tree of their beginnings, so that a thousand of them cost no more than one at each byte. */
  words(texts: Iterable<string>): Regex {
    const words = [...new Set(texts)].map((text) => this.#utf8.encode(text))
    return this.#tree(words.sort(compareBytes), 0)
  }

  #tree(words: readonly Uint8Array[], depth: number): Regex {
    if (words.length === 1)
      return this.concat(...Array.from(words[0]!.subarray(depth), (byte) => this.byte(byte)), EMPTY)
    let common = depth
    const [first, last] = [words[0]!, words.at(-1)!]
    while (common < first.length && first[common] === last[common]) common++
    const parts: Regex[] = first.length === common ? [EMPTY] : []
    for (let from = parts.length; from < words.length; ) {
      let to = from + 1
      while (to < words.length && words[to]![common] === words[from]![common]) to++
      const rest = this.#tree(words.slice(from, to), common + 1)
      parts.push(this.#concatTwo(this.byte(words[from]![common]!), rest))
      from = to
    }
    const prefix = Array.from(first.subarray(depth, common), (byte) => this.byte(byte))
    return this.concat(...prefix, this.or(parts))
  }

  concat(...parts: readonly Regex[]): Regex {
    let regex = parts.at(-1) ?? EMPTY
    for (let i = parts.length - 2; i >= 0; i--) regex = this.#concatTwo(parts[i]!, regex)
    return regex
  }

  optional(body: Regex): Regex {
    return this.or([EMPTY, body])
  }

  star(body: Regex): Regex {
    return this.repeat(body, 0, UNBOUNDED)
  }

  plus(body: Regex): Regex {
    return this.repeat(body, 1, UNBOUNDED)
  }

  repeat(body: Regex, min: number, max: number): Regex {
    if (max === 0 || body === EMPTY) return EMPTY
    if (body === NOTHING) return min === 0 ? EMPTY : NOTHING
    const least = this.#nullable[body] ? 0 : min
    if (least === 1 && max === 1) return body
    const inner = this.#nodes[body]!
    if (inner.kind === 'repeat' && inner.min === 0 && inner.max === UNBOUNDED) return body
    return this.#add(`r${body},${least},${max}`, { kind: 'repeat', body, min: least, max }, least === 0)
  }

  not(body: Regex): Regex {
    const inner = this.#nodes[body]!
    if (inner.kind === 'not') return inner.body
    if (body === NOTHING) return this.all
    return this.#add(`n${body}`, { kind: 'not', body }, !this.#nullable[body])
  }

  or(alternatives: readonly Regex[]): Regex {
    const parts = new Set<Regex>()
    for (const part of alternatives) {
      const node = this.#nodes[part]!
      if (node.kind === 'or') for (const inner of node.parts) parts.add(inner)
      else if (part !== NOTHING) parts.add(part)
    }
    if (parts.has(this.all)) return this.all
    if (parts.size > 1) this.#mergeHeads(parts)
    if (parts.has(EMPTY) && parts.size > 1) {
      for (const part of parts) if (part !== EMPTY && this.#nullable[part]) parts.delete(EMPTY)
    }
    if (parts.size < 2) return [...parts][0] ?? NOTHING
    const sorted = [...parts].sort((a, b) => a - b)
    const nullable = sorted.some((part) => this.#nullable[part])
    return this.#add(`o${sorted.join()}`, { kind: 'or', parts: sorted }, nullable)
  }

  and(conditions: readonly Regex[]): Regex {
    const parts = new Set<Regex>()
    for (const part of conditions) {
      const node = this.#nodes[part]!
      if (node.kind === 'and') for (const inner of node.parts) parts.add(inner)
      else if (part !== this.all) parts.add(part)
    }
    if (parts.has(NOTHING)) return NOTHING
    if (parts.has(EMPTY)) return [...parts].every((part) => this.#nullable[part]) ? EMPTY : NOTHING
    this.#meetSets(parts)
    if (parts.has(NOTHING)) return NOTHING
    if (parts.size < 2) return [...parts][0] ?? this.all
    const sorted = [...parts].sort((a, b) => a - b)
    const nullable = sorted.every((part) => this.#nullable[part])
    return this.#add(`a${sorted.join()}`, { kind: 'and', parts: sorted }, nullable)
  }

  /**
   * The words of an expression, inside of JSON strings, with so many characters at most. The same as its intersection with
   * `any{0,most}`, but what is left of the expression and how much may still come stay apart: while there is room enough the
   * one does not depend on the other.
   * @returns `undefined` where it is not known how soon the expression can end.
   */
  limit(body: Regex, most: number): Regex | undefined {
    const slack = this.#slack(body)
    if (slack === undefined) return undefined
    return this.prune(this.#makeLimit({ kind: 'limit', body, left: most, phase: 0, slack }))
  }

  /** The same language where the next `margin` characters come nowhere near a limit. */
  withoutLimit(regex: Regex, margin: number): Regex {
    const node = this.#nodes[regex]!
    if (node.kind === 'limit') return node.left >= node.slack + margin ? node.body : regex
    if (node.kind === 'concat') {
      const head = this.withoutLimit(node.head, margin)
      return head === node.head ? regex : this.#concatTwo(head, node.tail)
    }
    if (node.kind !== 'or') return regex
    const parts = node.parts.map((part) => this.withoutLimit(part, margin))
    return parts.every((part, i) => part === node.parts[i]) ? regex : this.or(parts)
  }

  /**
   * Whether any number of any characters may come, `text` being all of them: it is text, or text but for some words, which are
   * ruled out at their ends only.
   */
  takesAny(regex: Regex, text: Regex): boolean {
    const node = this.#nodes[regex]!
    if (regex === text) return true
    if (node.kind === 'concat') return this.takesAny(node.head, text)
    if (node.kind === 'or') return node.parts.some((part) => this.takesAny(part, text))
    if (node.kind !== 'and') return false
    return node.parts.every((part) => part === text || this.#rulesOutWords(part)) && node.parts.includes(text)
  }

  /**
   * How many characters may come, whichever they are, `text` being all of them, and whether nothing else may: 0 where that is
   * not known.
   */
  textRoom(regex: Regex, text: Regex): { readonly room: number; readonly isAll: boolean } {
    const node = this.#nodes[regex]!
    if (node.kind !== 'concat') return { room: this.takesAny(regex, text) ? UNBOUNDED : 0, isAll: false }
    const head = this.#nodes[node.head]!
    if (head.kind !== 'limit') {
      const isText = this.#isTextFrom(node.head, text)
      const room = isText || this.takesAny(regex, text) ? UNBOUNDED : 0
      return { room, isAll: isText && this.#isQuoted(node.tail) }
    }
    const isText = this.#isTextFrom(head.body, text) && head.phase === 0
    return { room: isText ? head.left : 0, isAll: isText && this.#isQuoted(node.tail) }
  }

  /** All text, or all of so many characters at least: as it goes on, the two take the same. */
  #isTextFrom(regex: Regex, text: Regex): boolean {
    if (regex === text) return true
    const [some, all] = [this.#nodes[regex]!, this.#nodes[text]!]
    return some.kind === 'repeat' && all.kind === 'repeat' && some.body === all.body && some.max === all.max
  }

  /** It begins with a quote, which no text has in it. */
  #isQuoted(regex: Regex): boolean {
    const node = this.#nodes[regex]!
    const first = node.kind === 'concat' ? this.#nodes[node.head]! : node
    return first.kind === 'bytes' && first.set === this.sets.ofByte(0x22)
  }

  #rulesOutWords(regex: Regex): boolean {
    const node = this.#nodes[regex]!
    return node.kind === 'not' && this.#isFinite(node.body)
  }

  #isFinite(regex: Regex): boolean {
    const known = this.#finite.get(regex)
    if (known !== undefined) return known
    const node = this.#nodes[regex]!
    const finite =
      node.kind === 'concat'
        ? this.#isFinite(node.head) && this.#isFinite(node.tail)
        : node.kind === 'or'
          ? node.parts.every((part) => this.#isFinite(part))
          : node.kind === 'repeat'
            ? node.max < UNBOUNDED && this.#isFinite(node.body)
            : node.kind === 'bytes' || node.kind === 'empty' || node.kind === 'nothing'
    this.#finite.set(regex, finite)
    return finite
  }

  /** An automaton of its own as an expression: what it accepts from its first state. */
  machine(machine: Machine): Regex {
    this.#machines.push(machine)
    this.#machineSets.push(machine.sets.map((set) => this.sets.id(set)))
    return this.#ofMachine(this.#machines.length - 1, machine.start)
  }

  /** What may follow `byte`. Parts that match nothing may be left in it: see `prune`. */
  derive(regex: Regex, byte: number): Regex {
    const node = this.#nodes[regex]!
    if (node.kind === 'bytes') return this.sets.has(node.set, byte) ? EMPTY : NOTHING
    const key = regex * 256 + byte
    const known = this.#derivatives.get(key)
    if (known !== undefined) return known
    const next = this.#derive(regex, node, byte)
    if (this.#derivatives.size > MOST_REMEMBERED) this.#derivatives.clear()
    this.#derivatives.set(key, next)
    return next
  }

  #derive(regex: Regex, node: Node, byte: number): Regex {
    switch (node.kind) {
      case 'nothing':
      case 'empty':
        return NOTHING
      case 'bytes':
        return NOTHING
      case 'limit':
        return this.#deriveLimit(node, byte)
      case 'concat':
        return this.#deriveConcat(regex, byte)
      case 'or':
        return this.or(node.parts.map((part) => this.derive(part, byte)))
      case 'and':
        return this.#deriveAnd(node.parts, byte)
      case 'not':
        return this.not(this.derive(node.body, byte))
      case 'repeat': {
        const rest = this.repeat(node.body, Math.max(0, node.min - 1), node.max - 1)
        return this.#concatTwo(this.derive(node.body, byte), rest)
      }
      case 'machine': {
        const state = this.#machines[node.machine]!.step(node.state, byte)
        return state < 0 ? NOTHING : this.#ofMachine(node.machine, state)
      }
    }
  }

  /** The same language without parts that match nothing: `NOTHING` exactly when it is empty. */
  prune(regex: Regex): Regex {
    if (this.#plain[regex]) return regex
    const known = this.#pruned.get(regex)
    if (known !== undefined) return known
    const pruned = this.#prune(regex)
    this.#pruned.set(regex, pruned)
    return pruned
  }

  isEmpty(regex: Regex): boolean {
    return this.prune(regex) === NOTHING
  }

  /** One of the shortest words; `undefined` where there is none, or none is found soon. */
  shortestWord(regex: Regex): readonly number[] | undefined {
    if (this.#shortestWords.has(regex)) return this.#shortestWords.get(regex)
    const word = this.#findShortestWord(regex)
    this.#shortestWords.set(regex, word)
    return word
  }

  #findShortestWord(start: Regex): readonly number[] | undefined {
    const cameFrom = new Map<Regex, readonly [from: Regex, byte: number]>()
    // What is found on the way is added to the list that is gone through.
    const open = [this.prune(start)]
    for (const at of open) {
      if (this.#nullable[at]) return wordTo(at, cameFrom)
      if (cameFrom.size > MOST_STATES) return undefined
      for (const byte of this.classes([at]).sample) {
        const next = this.prune(this.derive(at, byte))
        if (next === NOTHING || next === open[0] || cameFrom.has(next)) continue
        cameFrom.set(next, [at, byte])
        open.push(next)
      }
    }
    return undefined
  }

  /** Whether every word of `inner` is one of `outer`. */
  includes(outer: Regex, inner: Regex): boolean {
    return this.isEmpty(this.and([inner, this.not(outer)]))
  }

  /** Bytes that lead to the same derivatives. */
  classes(regexes: Iterable<Regex>): ByteClasses {
    const sets = new Set<number>()
    for (const regex of regexes) this.#firstSets(regex, sets)
    const key = [...sets].sort((a, b) => a - b).join()
    const known = this.#classes.get(key) ?? classesOf(this.sets, sets)
    this.#classes.set(key, known)
    return known
  }

  #prune(regex: Regex): Regex {
    const node = this.#nodes[regex]!
    switch (node.kind) {
      case 'limit': {
        const body = this.prune(node.body)
        const ends =
          body !== NOTHING && (node.left >= node.slack || this.#shortestEnd(body, node.phase) <= node.left)
        return ends ? this.#makeLimit({ ...node, body }) : NOTHING
      }
      case 'concat':
        return this.#pruneConcat(regex)
      case 'or':
        return this.or(node.parts.map((part) => this.prune(part)))
      case 'repeat':
        return this.repeat(this.prune(node.body), node.min, node.max)
      case 'and':
        return this.#isAlive(regex) ? this.and(node.parts.map((part) => this.prune(part))) : NOTHING
      case 'not':
        return this.#isAlive(regex) ? regex : NOTHING
      default:
        return regex
    }
  }

  #pruneConcat(regex: Regex): Regex {
    const spine: Regex[] = []
    let at = regex
    for (let node = this.#nodes[at]!; node.kind === 'concat'; node = this.#nodes[at]!) {
      spine.push(node.head)
      at = node.tail
    }
    let pruned = this.prune(at)
    for (let i = spine.length - 1; i >= 0; i--) pruned = this.#concatTwo(this.prune(spine[i]!), pruned)
    return pruned
  }

  /** Looks for a word: a derivative that takes the empty word. In turns the newest and the oldest is followed: long words, and short ones. */
  #isAlive(regex: Regex): boolean {
    const known = this.#alive.get(regex)
    if (known !== undefined) return known
    const cameFrom = new Map<Regex, Regex>([[regex, regex]])
    if (this.#isSurelyAlive(regex)) return this.#markPath(regex, cameFrom)
    const open = [regex]
    for (let oldest = 0, turn = 0; oldest < open.length; turn++) {
      const at = turn % 2 === 0 ? open.pop()! : open[oldest++]!
      if (this.#alive.get(at) === false || this.#rulesOutText(at)) continue
      for (const byte of this.classes([at]).sample) {
        const next = this.derive(at, byte)
        if (next === NOTHING || cameFrom.has(next)) continue
        cameFrom.set(next, at)
        if (this.#isSurelyAlive(next)) return this.#markPath(next, cameFrom)
        open.push(next)
      }
      if (cameFrom.size > MOST_STATES || ++this.#lookedAt > MOST_LOOKED_AT)
        throw tooLarge('an intersection of patterns has too many states')
    }
    for (const state of cameFrom.keys()) this.#alive.set(state, false)
    return false
  }

  /** What need not be looked for: the empty word, a part of an expression without conditions, text but for some words. */
  #isSurelyAlive(regex: Regex): boolean {
    if (this.#nullable[regex] || this.#plain[regex] || this.#alive.get(regex) === true) return true
    const node = this.#nodes[regex]!
    if (node.kind !== 'and') return false
    let endless = 0
    for (const part of node.parts) {
      if (this.#rulesOutWords(part)) continue
      if (++endless > 1 || !this.#endsInText(part)) return false
    }
    return true
  }

  /** A text, and yet no text: an intersection where that can be seen need not be searched to its end, which may be far. */
  #rulesOutText(regex: Regex): boolean {
    const node = this.#nodes[regex]!
    if (node.kind !== 'and' || this.text === NOTHING) return false
    const isNoText = node.parts.some((part) => {
      const not = this.#nodes[part]!
      if (not.kind !== 'not') return false
      const body = this.#nodes[not.body]!
      return not.body === this.text || (body.kind === 'or' && body.parts.includes(this.text))
    })
    return isNoText && node.parts.some((part) => this.#isText(part))
  }

  /** Whether all its words are texts, as far as that is seen in its parts. */
  #isText(regex: Regex): boolean {
    const known = this.#texts.get(regex)
    if (known !== undefined) return known
    const node = this.#nodes[regex]!
    const isText =
      node.kind === 'concat'
        ? this.#isText(node.head) && this.#isText(node.tail)
        : node.kind === 'or'
          ? node.parts.every((part) => this.#isText(part) || this.#isShortText(part))
          : node.kind === 'and'
            ? node.parts.some((part) => this.#isText(part))
            : node.kind === 'repeat'
              ? this.#isText(node.body)
              : this.#isShortText(regex)
    this.#texts.set(regex, isText)
    return isText
  }

  /** Whether each of its words is a text: a character, most of all, whose bytes are a text only together. */
  #isShortText(regex: Regex): boolean {
    if (!this.#plain[regex]) return false
    const seen = new Map([[regex, this.text]])
    // What is found on the way is added to the map that is gone through.
    for (const [at, text] of seen) {
      if (this.#nullable[at] && !this.#nullable[text]) return false
      for (const byte of this.classes([at, text]).sample) {
        const next = this.derive(at, byte)
        if (next === NOTHING) continue
        const rest = this.derive(text, byte)
        if (rest === NOTHING || (seen.get(next) ?? rest) !== rest || seen.size > MOST_SHORT) return false
        seen.set(next, rest)
      }
    }
    return true
  }

  /** It can go on with any text: no number of words exhausts it. */
  #endsInText(regex: Regex): boolean {
    let at = regex
    for (let node = this.#nodes[at]!; node.kind === 'concat'; node = this.#nodes[at]!) {
      if (!this.#plain[node.head]) return false
      at = node.tail
    }
    return at === this.text
  }

  #markPath(end: Regex, cameFrom: ReadonlyMap<Regex, Regex>): true {
    let at = end
    for (;;) {
      this.#alive.set(at, true)
      const before = cameFrom.get(at)!
      if (before === at) return true
      at = before
    }
  }

  #deriveConcat(regex: Regex, byte: number): Regex {
    const parts: Regex[] = []
    let at = regex
    for (let node = this.#nodes[at]!; node.kind === 'concat'; node = this.#nodes[at]!) {
      parts.push(this.#concatTwo(this.derive(node.head, byte), node.tail))
      at = node.tail
      if (!this.#nullable[node.head]) return parts.length === 1 ? parts[0]! : this.or(parts)
    }
    parts.push(this.derive(at, byte))
    return this.or(parts)
  }

  #deriveLimit({ body, left, phase, slack }: Limit, byte: number): Regex {
    const { next, begins } = nextPhase(phase, byte)
    if (begins && left === 0) return NOTHING
    const rest = this.derive(body, byte)
    if (rest === NOTHING) return NOTHING
    return this.#makeLimit({ kind: 'limit', body: rest, left: begins ? left - 1 : left, phase: next, slack })
  }

  #makeLimit(limit: Limit): Regex {
    const { body, left, phase, slack } = limit
    if (body === NOTHING || body === EMPTY) return body
    return this.#add(`l${body},${left},${phase},${slack}`, limit, this.#nullable[body]!)
  }

  #unitSets(): readonly number[] {
    this.#units ??= [this.sets.ofByte(0x5c), this.sets.ofByte(0x75), this.sets.ofRange(0x80, 0xbf)]
    return this.#units
  }

  /**
   * How many characters are enough to end, wherever in the expression one is; bytes are counted, which are more. Of an
   * intersection it is not known.
   */
  #slack(regex: Regex): number | undefined {
    const node = this.#nodes[regex]!
    switch (node.kind) {
      case 'nothing':
      case 'empty':
        return 0
      case 'bytes':
        return 1
      case 'concat':
        return this.#sumOfSlack(node.head, node.tail)
      case 'or': {
        const each = node.parts.map((part) => this.#slack(part))
        return each.includes(undefined) ? undefined : Math.max(...(each as number[]))
      }
      case 'repeat': {
        const once = this.#slack(node.body)
        return once === undefined ? undefined : once * Math.max(1, node.min)
      }
      default:
        return undefined
    }
  }

  #sumOfSlack(head: Regex, tail: Regex): number | undefined {
    const [a, b] = [this.#slack(head), this.#slack(tail)]
    return a === undefined || b === undefined ? undefined : a + b
  }

  /** The fewest characters after which it can end. What is found of one is kept of all that lie on its way. */
  #shortestEnd(body: Regex, phase: UnitPhase): number {
    const start = body * 8 + phase
    const known = this.#shortest.get(start)
    if (known !== undefined) return known
    const found = new Map<number, Reached>([[start, { count: 0, from: start }]])
    let level = new Set([start])
    let least = Number.POSITIVE_INFINITY
    let last = start
    for (let count = 0; level.size > 0 && count < least; count++) {
      const later = new Set<number>()
      // Bytes within a character add to the level that is gone through.
      for (const at of level) {
        const rest = this.#nullable[Math.floor(at / 8)] ? 0 : this.#shortest.get(at)
        if (rest === undefined) this.#reach(at, count, { found, level, later })
        else if (count + rest < least) [least, last] = [count + rest, at]
      }
      if (found.size > MOST_STATES) throw tooLarge('a pattern with a length has too many states')
      level = later
    }
    this.#shortest.set(start, least)
    for (let at = last; at !== start; at = found.get(at)!.from)
      this.#shortest.set(at, least - found.get(at)!.count)
    return least
  }

  /** Adds what one more byte leads to: to the level, or where it begins a character to the next. */
  #reach(at: number, count: number, { found, level, later }: Search): void {
    const [regex, from] = [Math.floor(at / 8), (at % 8) as UnitPhase]
    const bounded = this.#makeLimit({ kind: 'limit', body: regex, left: 1, phase: from, slack: 0 })
    for (const byte of this.classes([bounded]).sample) {
      const next = this.prune(this.derive(regex, byte))
      if (next === NOTHING) continue
      const { next: then, begins } = nextPhase(from, byte)
      const key = next * 8 + then
      if (found.has(key)) continue
      found.set(key, { count: begins ? count + 1 : count, from: at })
      if (begins) later.add(key)
      else level.add(key)
    }
  }

  #deriveAnd(conditions: readonly Regex[], byte: number): Regex {
    const parts: Regex[] = []
    for (const part of conditions) {
      const next = this.derive(part, byte)
      if (next === NOTHING) return NOTHING
      parts.push(next)
    }
    return this.and(parts)
  }

  #firstSets(regex: Regex, into: Set<number>): void {
    let at = regex
    for (;;) {
      const node = this.#nodes[at]!
      if (node.kind === 'concat') {
        this.#firstSets(node.head, into)
        if (!this.#nullable[node.head]) return
        at = node.tail
        continue
      }
      if (node.kind === 'bytes') into.add(node.set)
      else if (node.kind === 'machine') for (const set of this.#machineSets[node.machine]!) into.add(set)
      else if (node.kind === 'or' || node.kind === 'and')
        for (const part of node.parts) this.#firstSets(part, into)
      else if (node.kind === 'not' || node.kind === 'repeat') this.#firstSets(node.body, into)
      else if (node.kind === 'limit') {
        this.#firstSets(node.body, into)
        for (const set of this.#unitSets()) into.add(set)
      }
      return
    }
  }

  #concatTwo(head: Regex, tail: Regex): Regex {
    if (head === NOTHING || tail === NOTHING) return NOTHING
    if (head === EMPTY) return tail
    if (tail === EMPTY) return head
    const spine: Regex[] = []
    let at = head
    for (let node = this.#nodes[at]!; node.kind === 'concat'; node = this.#nodes[at]!) {
      spine.push(node.head)
      at = node.tail
    }
    let regex = this.#makeConcat(at, tail)
    for (let i = spine.length - 1; i >= 0; i--) regex = this.#makeConcat(spine[i]!, regex)
    return regex
  }

  #makeConcat(head: Regex, tail: Regex): Regex {
    const key = head * MOST_NODES + tail
    const known = this.#concats.get(key)
    if (known !== undefined) return known
    const nullable = this.#nullable[head]! && this.#nullable[tail]!
    const made = this.#make({ kind: 'concat', head, tail }, nullable)
    this.#concats.set(key, made)
    return made
  }

  /** Alternatives that differ in their first byte only become one: what UTF-8 makes many of. */
  #mergeHeads(parts: Set<Regex>): void {
    const byTail = new Map<Regex, Regex>()
    for (const part of [...parts]) {
      const node = this.#nodes[part]!
      const head = node.kind === 'concat' ? node.head : part
      const tail = node.kind === 'concat' ? node.tail : EMPTY
      const first = this.#nodes[head]!
      if (first.kind !== 'bytes') continue
      const other = byTail.get(tail)
      if (other === undefined) {
        byTail.set(tail, part)
        continue
      }
      const before = this.#nodes[other]!
      const set = (before.kind === 'concat' ? this.#nodes[before.head]! : before) as { set: number }
      const merged = this.#concatTwo(this.#ofSet(this.sets.combine(set.set, first.set, 'or')), tail)
      parts.delete(other)
      parts.delete(part)
      parts.add(merged)
      byTail.set(tail, merged)
    }
  }

  #meetSets(parts: Set<Regex>): void {
    let met: number | undefined
    let count = 0
    for (const part of parts) {
      const node = this.#nodes[part]!
      if (node.kind !== 'bytes') continue
      met = met === undefined ? node.set : this.sets.combine(met, node.set, 'and')
      count++
    }
    if (count < 2) return
    for (const part of [...parts]) if (this.#nodes[part]!.kind === 'bytes') parts.delete(part)
    parts.add(this.#ofSet(met!))
  }

  #ofSet(all: number): Regex {
    const set = this.#alphabet === undefined ? all : this.sets.combine(all, this.#alphabet, 'and')
    return this.sets.isEmpty(set) ? NOTHING : this.#add(`b${set}`, { kind: 'bytes', set }, false)
  }

  #ofMachine(machine: number, state: number): Regex {
    const nullable = this.#machines[machine]!.accepts(state)
    return this.#add(`m${machine},${state}`, { kind: 'machine', machine, state }, nullable)
  }

  #add(key: string, node: Node, nullable: boolean): Regex {
    const known = this.#byKey.get(key)
    if (known !== undefined) return known
    const made = this.#make(node, nullable)
    this.#byKey.set(key, made)
    return made
  }

  #make(node: Node, nullable: boolean): Regex {
    const id = this.#nodes.length
    if (id >= MOST_NODES) throw tooLarge('its patterns have too many states')
    this.#nodes.push(node)
    this.#nullable.push(nullable)
    this.#plain.push(this.#isPlain(node))
    return id
  }

  #isPlain(node: Node): boolean {
    if (node.kind === 'concat') return this.#plain[node.head]! && this.#plain[node.tail]!
    if (node.kind === 'or') return node.parts.every((part) => this.#plain[part])
    if (node.kind === 'repeat') return this.#plain[node.body]!
    return (
      node.kind === 'nothing' || node.kind === 'empty' || node.kind === 'bytes' || node.kind === 'machine'
    )
  }
}

/** How a place in a character was reached: after how many characters, and from where. */
interface Reached {
  readonly count: number
  readonly from: number
}

interface Search {
  readonly found: Map<number, Reached>
  readonly level: Set<number>
  readonly later: Set<number>
}

function wordTo(end: Regex, cameFrom: ReadonlyMap<Regex, readonly [Regex, number]>): number[] {
  const word: number[] = []
  for (let step = cameFrom.get(end); step !== undefined; step = cameFrom.get(step[0])) word.push(step[1])
  return word.reverse()
}

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  return Buffer.compare(a, b)
}
