/**
 * A sliced vocabulary as bytes: what takes some tenths of a second to build is read in a few milliseconds. Four words, a header
 * as JSON, then the arrays one behind the other, all in the byte order of the machine.
 */
import type { Kind, SlicedVocabulary } from './slices.ts'

/** Read in the other byte order it is another number. */
const MAGIC = 0x53505456
/** Changes with the format, and with what a vocabulary is made of. */
const VERSION = 1
const PRELUDE = 16

interface Header
  extends Pick<SlicedVocabulary, 'size' | 'words' | 'dropsFirstSpace' | 'missing' | 'longest'> {
  /** What it was made of. */
  readonly source: string
  readonly textBytes: number
  readonly slices: readonly {
    readonly kind: Kind | undefined
    readonly most: number | 'any'
    readonly count: number
    /** Of its tree: numbers, and the longest token. */
    readonly nodes: number
    readonly longest: number
  }[]
}

/** @param source names what it was made of: `readVocabulary` compares it */
export function writeVocabulary(vocabulary: SlicedVocabulary, source: string): Uint8Array {
  const { size, words, dropsFirstSpace, missing, longest, texts, slices } = vocabulary
  const header: Header = {
    ...{ source, size, words, dropsFirstSpace, missing, longest, textBytes: texts.bytes.length },
    slices: slices.map(({ kind, most, count, trie }) => ({
      ...{ kind, count, nodes: trie.nodes.length, longest: trie.longest },
      most: Number.isFinite(most) ? most : ('any' as const),
    })),
  }
  const json = padded(new TextEncoder().encode(JSON.stringify(header)), 0x20)
  const arrays = [
    ...[json, texts.starts, slices[0]?.trie.twins ?? new Int32Array(size)],
    ...slices.flatMap(({ trie, bits }) => [trie.nodes, bits]),
    padded(texts.bytes, 0),
  ]
  const file = new Uint8Array(PRELUDE + arrays.reduce((sum, { byteLength }) => sum + byteLength, 0))
  let at = PRELUDE
  for (const { buffer, byteOffset, byteLength } of arrays) {
    file.set(new Uint8Array(buffer, byteOffset, byteLength), at)
    at += byteLength
  }
  const numbers = new Int32Array(file.buffer)
  numbers.set([MAGIC, VERSION, json.length, checksum(numbers)])
  return file
}

/** @returns `undefined` for bytes that are damaged, of another version or machine, or made of something else */
export function readVocabulary(
  file: Uint8Array,
  source: string,
  encode: SlicedVocabulary['encode'],
): SlicedVocabulary | undefined {
  if (file.byteLength % 4 !== 0 || file.byteLength < PRELUDE) return undefined
  const aligned = file.byteOffset % 4 === 0 ? file : file.slice()
  const numbers = new Int32Array(aligned.buffer, aligned.byteOffset, aligned.byteLength / 4)
  const [magic, version, jsonLength, sum] = numbers as unknown as [number, number, number, number]
  if (magic !== MAGIC || version !== VERSION || checksum(numbers) !== sum) return undefined
  const header = JSON.parse(
    new TextDecoder().decode(aligned.subarray(PRELUDE, PRELUDE + jsonLength)),
  ) as Header
  if (header.source !== source) return undefined
  return fromArrays(header, numbers, { from: (PRELUDE + jsonLength) / 4, encode })
}

function fromArrays(
  header: Header,
  numbers: Int32Array,
  { from, encode }: { readonly from: number; readonly encode: SlicedVocabulary['encode'] },
): SlicedVocabulary {
  const { size, words, dropsFirstSpace, missing, longest, textBytes } = header
  let at = from
  const take = (length: number): Int32Array => {
    at += length
    return numbers.subarray(at - length, at)
  }
  const starts = take(size + 1)
  const twins = take(size)
  const slices = header.slices.map(({ kind, most, count, nodes, longest }) => {
    const trie = { nodes: take(nodes), twins, longest }
    const bits = take(words)
    return {
      ...{ kind, count, trie, most: most === 'any' ? Number.POSITIVE_INFINITY : most },
      bits: new Uint32Array(bits.buffer, bits.byteOffset, words),
    }
  })
  const rest = take(Math.ceil(textBytes / 4))
  const texts = { starts, bytes: new Uint8Array(rest.buffer, rest.byteOffset, textBytes) }
  return { ...{ size, words, endIds: [], dropsFirstSpace, missing, longest, texts, slices }, encode }
}

function padded(bytes: Uint8Array, filler: number): Uint8Array {
  const whole = new Uint8Array(4 * Math.ceil(bytes.length / 4)).fill(filler)
  whole.set(bytes)
  return whole
}

/** Of all but the prelude. A word that differs makes another sum, always; several do with 2⁻³². */
function checksum(numbers: Int32Array): number {
  let sum = numbers.length
  for (let i = PRELUDE / 4; i < numbers.length; i++) {
    sum = Math.imul(sum ^ numbers[i]!, 0x9e3779b1)
    sum ^= sum >>> 15
  }
  return sum
}
