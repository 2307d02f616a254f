/**
 * The tokens as a tree of bytes, laid out depth first in one array: a walk goes forward through it and skips what a dead byte
 * has cut off.
 */

/** Two numbers a node: byte | (id + 1) × 256, and the index behind its subtree. */
export const NODE = 2

export interface TokenTrie {
  readonly nodes: Int32Array
  /** The next id with the bytes of an id; -1 where there is none. */
  readonly twins: Int32Array
  readonly longest: number
}

/** The bytes of many tokens, one behind the other. */
export interface TokenTexts {
  readonly bytes: Uint8Array
  /** Where each id begins; one more entry than ids. */
  readonly starts: Int32Array
}

export function collectTexts(size: number, bytesOf: (id: number) => Uint8Array | undefined): TokenTexts {
  const starts = new Int32Array(size + 1)
  let bytes = new Uint8Array(8 * size + 1024)
  let used = 0
  for (let id = 0; id < size; id++) {
    const text = bytesOf(id)
    const length = text?.length ?? 0
    if (used + length > bytes.length) bytes = grown(bytes, used + length)
    if (text !== undefined) bytes.set(text, used)
    used += length
    starts[id + 1] = used
  }
  return { bytes: bytes.slice(0, used), starts }
}

function grown(bytes: Uint8Array<ArrayBuffer>, least: number): Uint8Array<ArrayBuffer> {
  const more = new Uint8Array(Math.max(2 * bytes.length, least))
  more.set(bytes)
  return more
}

/** Sorts by one byte after the other, and writes the nodes on the way. */
export function buildTrie(texts: TokenTexts, ids: Int32Array, twins: Int32Array): TokenTrie {
  const { bytes, starts } = texts
  let nodes = new Int32Array(NODE * Math.max(64, 3 * ids.length))
  let count = 0
  let longest = 0
  const order = ids.slice()
  const scratch = new Int32Array(ids.length)
  const write = (from: number, to: number, depth: number): void => {
    const counts = new Int32Array(257)
    for (let i = from; i < to; i++) counts[bytes[starts[order[i]!]! + depth]! + 1]!++
    for (let byte = 0; byte < 256; byte++) counts[byte + 1]! += counts[byte]!
    const places = counts.slice()
    for (let i = from; i < to; i++) scratch[from + places[bytes[starts[order[i]!]! + depth]!]!++] = order[i]!
    order.set(scratch.subarray(from, to), from)
    for (let byte = 0; byte < 256; byte++)
      if (counts[byte]! < counts[byte + 1]!)
        writeNode(byte, from + counts[byte]!, from + counts[byte + 1]!, depth + 1)
  }
  const writeNode = (byte: number, from: number, to: number, depth: number): void => {
    if (NODE * (count + 1) > nodes.length) {
      const more = new Int32Array(2 * nodes.length)
      more.set(nodes)
      nodes = more
    }
    const at = NODE * count++
    longest = Math.max(longest, depth)
    let id = -1
    let rest = from
    // Those that end here go to the front.
    for (let i = from; i < to; i++) {
      const each = order[i]!
      if (starts[each + 1]! - starts[each]! !== depth) continue
      if (id === -1) id = each
      else {
        twins[each] = twins[id]!
        twins[id] = each
      }
      order[i] = order[rest]!
      order[rest++] = each
    }
    nodes[at] = byte | ((id + 1) << 8)
    if (to - rest === 1) writeChain(order[rest]!, depth)
    else if (rest < to) write(rest, to, depth)
    nodes[at + 1] = NODE * count
  }
  /** The rest of a token that shares it with no other. */
  const writeChain = (id: number, depth: number): void => {
    const length = starts[id + 1]! - starts[id]!
    while (NODE * (count + length) > nodes.length) {
      const more = new Int32Array(2 * nodes.length)
      more.set(nodes)
      nodes = more
    }
    const end = NODE * (count + length - depth)
    for (let at = depth; at < length; at++) {
      nodes[NODE * count] = bytes[starts[id]! + at]! | (at === length - 1 ? (id + 1) << 8 : 0)
      nodes[NODE * count++ + 1] = end
    }
    longest = Math.max(longest, length)
  }
  if (ids.length > 0) write(0, ids.length, 0)
  return { nodes: nodes.slice(0, NODE * count), twins, longest }
}
