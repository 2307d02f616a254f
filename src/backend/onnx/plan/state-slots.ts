/**
 * The states of a model: every input that some output continues. What kind of state it is follows from the declared
 * shapes and from the operator that reads it, not from the model's family.
 */
import type { ModelConfig } from '../../../model/resolved-model.ts'
import { type Graph, type GraphNode, producersOf, readersOf } from '../../../onnx-file/graph.ts'
import { projectedHeadDim } from '../../../onnx-file/head-dim.ts'
import type { ElementType, TensorInfo } from '../../../onnx-runtime/runtime.ts'
import { tensorText, unsupported } from './unsupported.ts'

interface Slot {
  readonly past: string
  readonly present: string
  readonly type: ElementType
}

/** Keys and values: one row per token. */
export interface RowsSlot extends Slot {
  readonly kind: 'rows'
  /** The shape without a token: 0 at `axis`. */
  readonly dims: readonly number[]
  readonly axis: number
  /** True when the operator appends in place: one buffer with room to grow is both past and present. */
  readonly inPlace: boolean
}

/** A buffer of fixed size that keeps the last tokens of a sliding window and forgets the others by itself. */
export interface WindowSlot extends Slot {
  readonly kind: 'window'
  readonly dims: readonly number[]
}

/** A state whose size does not depend on the text: convolutions, recurrences. Zero at the start. */
export interface FixedSlot extends Slot {
  readonly kind: 'fixed'
  readonly dims: readonly number[]
  /** True when the operator that reads it carries it through several tokens at once. */
  readonly carries: boolean
}

export type StateSlot = RowsSlot | WindowSlot | FixedSlot

const KEY_OR_VALUE = /[._](keys?|values?|key_value)$/
/** Operators whose definition says what a state means for a run of any length. */
const CARRIERS = new Set(['Concat', 'CausalConvWithState', 'LinearAttention'])

/** @throws SpoutError `config` naming the input that is no state, or whose size nothing tells. */
export function readStateSlots(
  pasts: readonly TensorInfo[],
  outputs: ReadonlyMap<string, TensorInfo>,
  { graph, config }: { graph: Graph; config: ModelConfig },
): StateSlot[] {
  const readers = readersOf(graph)
  const producers = producersOf(graph)
  return pasts.map((info) => {
    const present = presentOf(info, outputs)
    const nodes = readers.get(info.name) ?? []
    const attention = nodes.find((node) => node.opType === 'GroupQueryAttention')
    const sizes = {
      config,
      attention,
      headDim: () => attention && projectedHeadDim(graph, producers, attention),
    }
    const slot = { past: info.name, present: present.name, type: info.type }
    if (attention?.ints.sliding_window_cache === 1) return windowSlot(slot, info, sizes)
    const axis = growingAxis(info, present)
    if (axis === undefined) {
      if (attention !== undefined) throw unsupported(tensorText(info), 'a past of free length')
      return fixedSlot(slot, info, nodes)
    }
    if (!KEY_OR_VALUE.test(info.name))
      throw unsupported(tensorText(info), 'a key, a value or a state of fixed size')
    const dims = info.dims.map((size, i) => (i === axis ? 0 : resolveSize(info, i, size, sizes)))
    const made = producers.get(present.name)
    const inPlace = attention !== undefined && nodes.length === 1 && made === attention && axis === 2
    return { ...slot, kind: 'rows', dims, axis, inPlace }
  })
}

function windowSlot(slot: Slot, info: TensorInfo, sizes: SizeSources): WindowSlot {
  const window = sizes.attention?.ints.local_window_size ?? 0
  if (window <= 0 || info.dims.length !== 4) {
    throw unsupported(`${tensorText(info)} with local_window_size ${window}`, 'a window of one token or more')
  }
  const dims = info.dims.map((size, i) => (i === 2 ? window : resolveSize(info, i, size, sizes)))
  return { ...slot, kind: 'window', dims }
}

function fixedSlot(slot: Slot, info: TensorInfo, readers: readonly GraphNode[]): FixedSlot {
  const dims = info.dims.map((size, i) => {
    const known = i === 0 ? batchSize(info, size) : sizeOf(size)
    if (known === undefined) throw unsupported(tensorText(info), 'its sizes in the graph')
    return known
  })
  const carries = readers.length > 0 && readers.every((node) => CARRIERS.has(node.opType))
  return { ...slot, kind: 'fixed', dims, carries }
}

/** The output that continues a past input, by the names exporters use. */
function presentOf(past: TensorInfo, outputs: ReadonlyMap<string, TensorInfo>): TensorInfo {
  const candidates = [
    past.name.replace(/^past_key_values\b/, 'present'),
    past.name.replace(/^past_key_values\b/, 'present_key_values'),
    past.name.replace(/^past/, 'present'),
    past.name.replace(/^input\./, 'output.'),
  ]
  const name = candidates.find((candidate) => candidate !== past.name && outputs.has(candidate))
  const present = outputs.get(name ?? '')
  if (present === undefined) {
    throw unsupported(
      `input ${tensorText(past)}`,
      'input_ids, attention_mask, position_ids, num_logits_to_keep, use_cache_branch, or a past with its present',
    )
  }
  if (present.type !== past.type || present.dims.length !== past.dims.length || past.dims.length === 0) {
    throw unsupported(`${tensorText(past)} and ${tensorText(present)}`, 'both of one type and rank')
  }
  return present
}

/**
 * The axis along which tokens are appended: its name differs between past and present (`past`, `past + new`).
 * `undefined` when every size is fixed.
 */
function growingAxis(past: TensorInfo, present: TensorInfo): number | undefined {
  const free = past.dims.flatMap((size, i) => (sizeOf(size) === undefined ? [i] : []))
  const grown = free.filter((i) => i > 0 && past.dims[i] !== present.dims[i])
  if (grown.length === 1) return grown[0]
  const named = (grown.length > 0 ? grown : free).filter((i) =>
    /past|seq|len|total/i.test(String(past.dims[i])),
  )
  if (named.length === 1) return named[0]
  // Nameless sizes: keys and values are [batch, heads, tokens, size].
  return past.dims.length === 4 && free.includes(2) ? 2 : undefined
}

interface SizeSources {
  readonly config: ModelConfig
  readonly attention: GraphNode | undefined
  readonly headDim: () => number | undefined
}

function resolveSize(info: TensorInfo, axis: number, size: number | string, sources: SizeSources): number {
  const { config, attention } = sources
  const known = axis === 0 ? batchSize(info, size, config) : sizeOf(size)
  if (known !== undefined) return known
  const last = axis === info.dims.length - 1
  const told = last ? packed(sources.headDim() ?? config.headDim, attention) : undefined
  const heads = axis === 1 && !last ? (attention?.ints.kv_num_heads ?? config.kvHeads) : undefined
  const found = told ?? heads
  if (found === undefined) throw unsupported(tensorText(info), 'its sizes in the graph or in config.json')
  return found
}

/** One text at a time; older graphs fold the heads into this axis. */
function batchSize(info: TensorInfo, size: number | string, config?: ModelConfig): number {
  if (size === 1) return 1
  if (typeof size === 'number') throw unsupported(tensorText(info), 'a batch of one')
  return /head/i.test(size) ? (config?.attentionHeads ?? 1) : 1
}

/** A size that is written down; some exporters write it as a name of digits. */
function sizeOf(size: number | string | undefined): number | undefined {
  if (typeof size === 'number') return size > 0 ? size : undefined
  return size !== undefined && /^[1-9]\d*$/.test(size) ? Number(size) : undefined
}

/** Four bits a number: two numbers in a byte. */
function packed(headDim: number | undefined, attention: GraphNode | undefined): number | undefined {
  return headDim !== undefined && attention?.ints.kv_cache_bit_width === 4 ? Math.ceil(headDim / 2) : headDim
}
