/** The mask of a place: which tokens can follow. Nothing is allocated for a place that has been seen. */
import { type Automaton, DEAD, type Place, UNKNOWN } from '../parser/automaton.ts'
import { isOfKind, KINDS, type Kind, type Slice, type SlicedVocabulary, shorterTokens } from './slices.ts'
import { NODE, type TokenTrie } from './token-trie.ts'

export interface Mask {
  /** Bit `id & 31` of word `id >> 5`. */
  readonly bits: Uint32Array
  /** How many ids it allows. */
  count: number
}

/** So many masks are kept, the oldest replaced. */
const MOST_MASKS = 128
/** Code points that are tried out to learn whether text of any length is allowed. */
const MOST_LEVELS = 64
/** Places that are tried out: beyond so many a walk is quicker. */
const MOST_TRIED = 200

export class Masks {
  readonly #automaton: Automaton
  readonly #vocabulary: SlicedVocabulary
  readonly #kept = new Map<Place, Mask>()
  /** No token has more characters; those of no kind are counted by bytes. */
  readonly #longest: number
  readonly #ends: Int32Array
  readonly #places: Int32Array
  readonly #shorter = new Map<Slice, Map<number, Bits>>()
  readonly #rooms: Record<Kind, Map<Place, Room>> = {
    lower: new Map(),
    word: new Map(),
    text: new Map(),
  }
  #generation = 0

  constructor(automaton: Automaton, vocabulary: SlicedVocabulary) {
    this.#automaton = automaton
    this.#vocabulary = vocabulary
    this.#longest = Math.max(0, ...vocabulary.slices.map(({ most }) => most))
    this.#ends = new Int32Array(vocabulary.longest + 2)
    this.#places = new Int32Array(vocabulary.longest + 2)
  }

  /** @param first the text begins here. The result is valid until as many others have been asked for. */
  at(place: Place, first = false): Mask {
    if (first && this.#vocabulary.dropsFirstSpace) return this.#first(place)
    if (this.#generation !== this.#automaton.generation) this.#forget()
    const known = this.#kept.get(place)
    if (known !== undefined) return known
    // Where no token reaches a limit the count of what has been written makes no difference.
    const far = this.#automaton.withoutLimits(place, this.#longest)
    if (far !== place) return this.at(far)
    const mask = this.#take()
    for (const slice of this.#vocabulary.slices) this.#addSlice(slice, place, mask)
    this.#setEnds(place, mask)
    this.#kept.set(place, mask)
    return mask
  }

  /** Whether any token beneath a node can follow. */
  anyBelow(trie: TokenTrie, from: number, to: number, place: Place): boolean {
    return this.#walk(trie, { from, to, place, mask: undefined }) > 0
  }

  /**
   * The tokens that can follow and lead to a place that is told to be one to go to; end ids as in `at`. Made anew each time,
   * token by token. Each place is asked about once.
   */
  among(place: Place, first: boolean, isWanted: (end: Place) => boolean): Mask {
    const mask: Mask = { bits: new Uint32Array(this.#vocabulary.words), count: 0 }
    const asked = new Map<Place, boolean>()
    const wanted = (end: Place): boolean => {
      const known = asked.get(end) ?? isWanted(end)
      asked.set(end, known)
      return known
    }
    for (const { trie } of this.#vocabulary.slices)
      for (const { from, to } of first && this.#vocabulary.dropsFirstSpace
        ? beginnings(trie)
        : [{ from: 0, to: trie.nodes.length }])
        this.#walk(trie, { from, to, place, mask, wanted })
    this.#setEnds(place, mask)
    return mask
  }

  /** A space that opens the text is not part of it: tokens count without it. */
  #first(place: Place): Mask {
    const mask = { bits: new Uint32Array(this.#vocabulary.words), count: 0 }
    for (const { trie } of this.#vocabulary.slices)
      for (const range of beginnings(trie)) this.#walk(trie, { ...range, place, mask })
    this.#setEnds(place, mask)
    return mask
  }

  /** An end id is no text, whatever it reads as: it is legal exactly where the text is complete. */
  #setEnds(place: Place, mask: Mask): void {
    const isComplete = this.#automaton.isComplete(place)
    for (const id of this.#vocabulary.endIds) {
      const bit = 1 << (id & 31)
      const isSet = (mask.bits[id >> 5]! & bit) !== 0
      if (isSet === isComplete) continue
      mask.bits[id >> 5]! ^= bit
      mask.count += isComplete ? 1 : -1
    }
  }

  #addSlice(slice: Slice, exact: Place, mask: Mask): void {
    const { kind, most, trie } = slice
    const place = this.#automaton.withoutLimits(exact, most)
    if (kind === undefined) return void this.#walk(trie, { from: 0, to: trie.nodes.length, place, mask })
    const { room, isAll } = this.#room(kind, place)
    if (room >= most) addBits(mask, slice)
    else if (isAll) addBits(mask, this.#upTo(slice, room))
    else this.#walk(trie, { from: 0, to: trie.nodes.length, place, mask })
  }

  /** The tokens of a slice with so many characters at most. */
  #upTo(slice: Slice, most: number): Bits {
    const known = this.#shorter.get(slice) ?? new Map<number, Bits>()
    this.#shorter.set(slice, known)
    const found = known.get(most) ?? shorterTokens(this.#vocabulary, slice, most)
    known.set(most, found)
    return found
  }

  /** Adds the tokens that can follow to a mask. @returns without one, whether any can: 1 or 0 */
  #walk({ nodes, twins }: TokenTrie, { from, to, place, mask, wanted }: Walk): number {
    const automaton = this.#automaton
    const ends = this.#ends
    const places = this.#places
    let table = automaton.table
    let depth = 0
    ends[0] = to
    places[0] = place
    for (let at = from; at < to; ) {
      while (at >= ends[depth]!) depth--
      const word = nodes[at]!
      const end = nodes[at + 1]!
      const index = (places[depth]! << 8) | (word & 255)
      let next = table[index]!
      if (next === UNKNOWN) {
        next = automaton.next(places[depth]!, word & 255)
        table = automaton.table
      }
      if (next === DEAD) {
        at = end
        continue
      }
      if (word >= 256 && (wanted === undefined || wanted(next))) {
        if (mask === undefined) return 1
        for (let id = (word >> 8) - 1; id >= 0; id = twins[id]!) {
          mask.bits[id >> 5]! |= 1 << (id & 31)
          mask.count++
        }
      }
      at += NODE
      if (at < end) {
        depth++
        ends[depth] = end
        places[depth] = next
      }
    }
    return 0
  }

  /** How many code points of a kind may follow, whichever they are; `isAll`: and no token of the kind with more of them. */
  #room(kind: Kind, place: Place): Room {
    const known = this.#rooms[kind].get(place)
    if (known !== undefined) return known
    const told = this.#automaton.textRoom(place)
    const room = told.room > 0 ? told : { room: this.#findDepth(kind, place), isAll: false }
    this.#rooms[kind].set(place, room)
    return room
  }

  #findDepth(kind: Kind, place: Place): number {
    let level = [place]
    const seen = new Set(level)
    for (let depth = 0; depth < MOST_LEVELS; depth++) {
      const next = new Set<Place>()
      for (const each of level) if (!this.#follow(kind, each, next)) return depth
      if (seen.size + next.size > MOST_TRIED) return depth + 1
      level = [...next].filter((each) => !seen.has(each))
      if (level.length === 0) return Number.POSITIVE_INFINITY
      for (const each of level) seen.add(each)
    }
    return MOST_LEVELS
  }

  /** Adds the places after one code point of a kind. @returns false when one of them is dead. */
  #follow(kind: Kind, place: Place, into: Set<Place>): boolean {
    const automaton = this.#automaton
    for (const byte of BYTES[kind]) {
      const next = automaton.next(place, byte)
      if (next === DEAD) return false
      into.add(next)
    }
    return kind !== 'text' || this.#followWide(place, into)
  }

  /** Code points of several bytes: leads that lead to one place are followed once. */
  #followWide(place: Place, into: Set<Place>): boolean {
    let open = new Map<number, LeadRange>()
    for (const lead of LEADS) {
      const next = this.#automaton.next(place, lead.byte)
      if (next === DEAD) return false
      open.set(next * 0x1000000 + lead.key, { ...lead, place: next })
    }
    while (open.size > 0) {
      const further = new Map<number, LeadRange>()
      for (const { place: at, from, to, left } of open.values()) {
        for (let byte = from; byte <= to; byte++) {
          const next = this.#automaton.next(at, byte)
          if (next === DEAD) return false
          if (left === 1) into.add(next)
          else
            further.set(next * 4 + left, {
              byte: 0,
              key: 0,
              place: next,
              from: 0x80,
              to: 0xbf,
              left: left - 1,
            })
        }
      }
      open = further
    }
    return true
  }

  #take(): Mask {
    if (this.#kept.size < MOST_MASKS) return { bits: new Uint32Array(this.#vocabulary.words), count: 0 }
    const [oldest, mask] = this.#kept.entries().next().value!
    this.#kept.delete(oldest)
    mask.bits.fill(0)
    mask.count = 0
    return mask
  }

  #forget(): void {
    this.#generation = this.#automaton.generation
    this.#kept.clear()
    for (const kind of KINDS) this.#rooms[kind].clear()
  }
}

/** The subtrees of a tree, that of a space without it. */
function beginnings({ nodes }: TokenTrie): { from: number; to: number }[] {
  const found: { from: number; to: number }[] = []
  for (let at = 0; at < nodes.length; at = nodes[at + 1]!) {
    const isSpace = (nodes[at]! & 255) === 0x20
    found.push({ from: isSpace ? at + NODE : at, to: nodes[at + 1]! })
  }
  return found
}

function addBits(mask: Mask, { bits, count }: Bits): void {
  for (let i = 0; i < bits.length; i++) mask.bits[i]! |= bits[i]!
  mask.count += count
}

type Bits = Pick<Slice, 'bits' | 'count'>

interface Room {
  readonly room: number
  readonly isAll: boolean
}

interface Walk {
  readonly from: number
  readonly to: number
  readonly place: Place
  readonly mask: Mask | undefined
  /** Where a token must lead. Default: anywhere. */
  readonly wanted?: ((end: Place) => boolean) | undefined
}

interface LeadRange {
  readonly byte: number
  /** Leads with the same continuations have the same key. */
  readonly key: number
  readonly place: Place
  readonly from: number
  readonly to: number
  readonly left: number
}

/** The first bytes of UTF-8 of two to four bytes, and what may come second. */
const LEADS: readonly LeadRange[] = Array.from({ length: 0xf4 - 0xc2 + 1 }, (_, i) => {
  const byte = 0xc2 + i
  const from = byte === 0xe0 ? 0xa0 : byte === 0xf0 ? 0x90 : 0x80
  const to = byte === 0xed ? 0x9f : byte === 0xf4 ? 0x8f : 0xbf
  const left = byte < 0xe0 ? 1 : byte < 0xf0 ? 2 : 3
  return { byte, from, to, left, place: 0, key: (from << 12) | (to << 4) | left }
})

const BYTES: Record<Kind, readonly number[]> = {
  lower: bytesOf('lower'),
  word: bytesOf('word'),
  text: bytesOf('text'),
}

function bytesOf(kind: Kind): number[] {
  return Array.from({ length: 0x80 }, (_, byte) => byte).filter((byte) => isOfKind(kind, byte))
}
