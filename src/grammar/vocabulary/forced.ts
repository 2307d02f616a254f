/** Bytes that must come, as the tokens a model would write them with. */
import { type Automaton, DEAD, type Place } from '../parser/automaton.ts'
import type { Masks } from './masks.ts'
import type { SlicedVocabulary } from './slices.ts'
import { NODE, type TokenTrie } from './token-trie.ts'

interface Parts {
  readonly automaton: Automaton
  readonly vocabulary: SlicedVocabulary
  readonly masks: Masks
}

const MOST_BYTES = 256
/** So many bytes before a place decide how the text after it is cut into tokens, nearly always. */
const CONTEXT = 16
/** Tokens at the end of the forced ones that another token could run past. */
const OPEN_TOKENS = 4

/** @param tail the last bytes of the text so far. */
export function makeGuess(parts: Parts, place: Place, tail: readonly number[]): number[] {
  const { vocabulary } = parts
  const forced = forcedBytes(parts.automaton, place)
  if (forced.bytes.length === 0 || vocabulary.encode === undefined) return []
  const context = wholeText(tail.slice(-CONTEXT))
  const bytes = Uint8Array.from([...context, ...forced.bytes])
  const ids = Array.from(vocabulary.encode(new TextDecoder().decode(bytes)))
  const cut = tokensAfter(vocabulary, ids, bytes, context.length)
  return cut === undefined ? [] : withoutOpenEnd(parts, cut, { bytes, end: forced.place })
}

/** Bytes are forced while there is one that can come, and the text cannot end. */
export function forcedBytes(automaton: Automaton, place: Place): { bytes: number[]; place: Place } {
  const bytes: number[] = []
  let at = place
  while (bytes.length < MOST_BYTES && !automaton.isComplete(at)) {
    const byte = onlyByte(automaton, at)
    if (byte === undefined) break
    bytes.push(byte)
    at = automaton.next(at, byte)
  }
  return { bytes, place: at }
}

function onlyByte(automaton: Automaton, place: Place): number | undefined {
  let only: number | undefined
  for (let byte = 0; byte < 256; byte++) {
    if (automaton.next(place, byte) === DEAD) continue
    if (only !== undefined) return undefined
    only = byte
  }
  return only
}

/** Without the rest of a character that begins before them. */
function wholeText(bytes: readonly number[]): readonly number[] {
  const first = bytes.findIndex((byte) => (byte & 0xc0) !== 0x80)
  return first === -1 ? [] : bytes.slice(first)
}

interface Cut {
  readonly ids: readonly number[]
  /** Where each begins. */
  readonly starts: readonly number[]
}

/** The tokens after the context: `undefined` when one of them lies on its border, or they are not these bytes. */
function tokensAfter(
  { texts }: SlicedVocabulary,
  ids: readonly number[],
  bytes: Uint8Array,
  context: number,
): Cut | undefined {
  const starts: number[] = []
  let at = 0
  for (const id of ids) {
    const text = texts.bytes.subarray(texts.starts[id], texts.starts[id + 1])
    if (text.length === 0 || text.some((byte, i) => byte !== bytes[at + i])) return undefined
    starts.push(at)
    at += text.length
  }
  const first = starts.indexOf(context)
  return at !== bytes.length || first === -1
    ? undefined
    : { ids: ids.slice(first), starts: starts.slice(first) }
}

/** Leaves off the last tokens where a longer one could stand that runs past what is forced. */
function withoutOpenEnd({ vocabulary, masks }: Parts, cut: Cut, { bytes, end }: Ending): number[] {
  let kept = cut.ids.length
  for (let i = Math.max(0, kept - OPEN_TOKENS); i < cut.ids.length; i++) {
    const rest = bytes.subarray(cut.starts[i])
    const runsPast = vocabulary.slices.some(({ trie }) => {
      const node = find(trie, rest)
      return node >= 0 && masks.anyBelow(trie, node + NODE, trie.nodes[node + 1]!, end)
    })
    if (!runsPast) continue
    kept = i
    break
  }
  return cut.ids.slice(0, kept)
}

interface Ending {
  readonly bytes: Uint8Array
  readonly end: Place
}

/** The node of a word; -1 where there is none. */
function find({ nodes }: TokenTrie, word: Uint8Array): number {
  let from = 0
  let to = nodes.length
  let found = -1
  for (const byte of word) {
    found = -1
    for (let at = from; at < to; at = nodes[at + 1]!) {
      if ((nodes[at]! & 255) !== byte) continue
      found = at
      break
    }
    if (found === -1) return -1
    from = found + NODE
    to = nodes[found + 1]!
  }
  return found
}
