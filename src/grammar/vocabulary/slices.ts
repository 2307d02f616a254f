/**
 * Tokens by what they are made of. Where all text of a kind is allowed, as within a string, the tokens of that kind are allowed
 * without looking at any: in a large vocabulary that leaves a twentieth of the walk.
 */
import { buildTrie, collectTexts, type TokenTexts, type TokenTrie } from './token-trie.ts'
import type { TokenBytes } from './vocabulary.ts'

/** `text`: what a JSON string holds as it stands. Kinds are tried in this order. */
export const KINDS = ['lower', 'word', 'text'] as const
export type Kind = (typeof KINDS)[number]

export interface Slice {
  /** `undefined`: of no kind. */
  readonly kind: Kind | undefined
  /** No token of it has more characters. */
  readonly most: number
  readonly trie: TokenTrie
  /** Its tokens as a mask. */
  readonly bits: Uint32Array
  readonly count: number
}

export interface SlicedVocabulary {
  readonly size: number
  readonly words: number
  readonly endIds: readonly number[]
  readonly dropsFirstSpace: boolean
  readonly slices: readonly Slice[]
  /** All tokens in one tree. */
  readonly texts: TokenTexts
  /** Bytes that are no token by themselves. */
  readonly missing: readonly number[]
  readonly longest: number
  readonly encode: ((text: string) => ArrayLike<number>) | undefined
}

const LENGTHS = [10, 30, 100, Number.POSITIVE_INFINITY]

export function sliceVocabulary(vocabulary: TokenBytes, slicing = true): SlicedVocabulary {
  const texts = collectTexts(vocabulary.size, (id) => vocabulary.bytes(id))
  const groups = new Map<string, { kind: Kind | undefined; most: number; ids: number[] }>()
  const single = new Uint8Array(256)
  for (let id = 0; id < vocabulary.size; id++) {
    const bytes = texts.bytes.subarray(texts.starts[id]!, texts.starts[id + 1]!)
    if (bytes.length === 0) continue
    if (bytes.length === 1) single[bytes[0]!] = 1
    const kind = slicing ? kindOf(bytes) : undefined
    const length = kind === undefined ? bytes.length : codePoints(bytes)
    const key = `${kind}${LENGTHS.find((limit) => length <= limit)}`
    const group = groups.get(key) ?? { kind, most: 0, ids: [] }
    groups.set(key, group)
    group.most = Math.max(group.most, length)
    group.ids.push(id)
  }
  const twins = new Int32Array(vocabulary.size).fill(-1)
  const words = Math.ceil(vocabulary.size / 32)
  const slices = [...groups.values()].map(({ kind, most, ids }) => ({
    kind,
    most,
    trie: buildTrie(texts, Int32Array.from(ids), twins),
    bits: bitsOf(ids, words),
    count: ids.length,
  }))
  return {
    size: vocabulary.size,
    words,
    endIds: vocabulary.endIds.filter((id) => id >= 0 && id < vocabulary.size),
    dropsFirstSpace: vocabulary.dropsFirstSpace,
    slices,
    texts,
    missing: Array.from({ length: 256 }, (_, byte) => byte).filter((byte) => single[byte] === 0),
    longest: Math.max(0, ...slices.map(({ trie }) => trie.longest)),
    encode: vocabulary.encode?.bind(vocabulary),
  }
}

/** The tokens of a slice with so many characters at most, as a mask. */
export function shorterTokens(
  { texts }: SlicedVocabulary,
  slice: Slice,
  most: number,
): Pick<Slice, 'bits' | 'count'> {
  const { bytes, starts } = texts
  const bits = slice.bits.slice()
  let { count } = slice
  for (let word = 0; word < bits.length; word++) {
    for (let left = bits[word]!; left !== 0; left &= left - 1) {
      const bit = 31 - Math.clz32(left & -left)
      const id = 32 * word + bit
      const [from, to] = [starts[id]!, starts[id + 1]!]
      if (to - from <= most || codePoints(bytes.subarray(from, to)) <= most) continue
      bits[word]! &= ~(1 << bit)
      count--
    }
  }
  return { bits, count }
}

/** The tokens that are line breaks and nothing else, so many at most. */
export function lineBreakIds({ texts: { bytes, starts }, size }: SlicedVocabulary, most: number): number[] {
  const found: number[] = []
  for (let id = 0; id < size; id++) {
    const [from, to] = [starts[id]!, starts[id + 1]!]
    if (to > from && to - from <= most && bytes.subarray(from, to).every((byte) => byte === 0x0a))
      found.push(id)
  }
  return found
}

/** The same tokens with other ends. */
export function withEndIds(vocabulary: SlicedVocabulary, endIds: Iterable<number>): SlicedVocabulary {
  return { ...vocabulary, endIds: [...endIds].filter((id) => id >= 0 && id < vocabulary.size) }
}

function bitsOf(ids: readonly number[], words: number): Uint32Array {
  const bits = new Uint32Array(words)
  for (const id of ids) bits[id >> 5]! |= 1 << (id & 31)
  return bits
}

export function isOfKind(kind: Kind, byte: number): boolean {
  if (kind === 'lower') return byte >= 0x61 && byte <= 0x7a
  if (kind === 'word')
    return (
      (byte >= 0x61 && byte <= 0x7a) ||
      (byte >= 0x41 && byte <= 0x5a) ||
      (byte >= 0x30 && byte <= 0x39) ||
      byte === 0x5f
    )
  return byte >= 0x20 && byte !== 0x22 && byte !== 0x5c
}

const strict = new TextDecoder('utf-8', { fatal: true })

function kindOf(bytes: Uint8Array): Kind | undefined {
  const kind = KINDS.find((each) => bytes.every((byte) => isOfKind(each, byte)))
  if (kind !== 'text' || bytes.every((byte) => byte < 0x80)) return kind
  try {
    strict.decode(bytes)
    return kind
  } catch {
    return undefined
  }
}

/** Of whole UTF-8: bytes that continue a character are not counted. */
function codePoints(bytes: Uint8Array): number {
  let count = 0
  for (const byte of bytes) if ((byte & 0xc0) !== 0x80) count++
  return count
}
