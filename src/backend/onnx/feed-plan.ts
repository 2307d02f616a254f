/**
 * What a graph wants and gives, read from what the session and the graph declare. Nothing is guessed: an input this
 * program does not know is an error that names what was expected and what was found.
 */
import { SpoutError } from '../../errors.ts'
import type { ModelConfig } from '../../model/resolved-model.ts'
import type { Graph, GraphNode } from './graph/graph-file.ts'
import { NUM_LOGITS_TO_KEEP } from './graph/keep-last-rows.ts'
import type { ElementType, Session, TensorInfo } from './runtime/runtime.ts'

/** One tensor of the KV cache: shape [1, heads, tokens, headDim]. */
export interface CacheSlot {
  readonly past: string
  readonly present: string
  readonly type: ElementType
  readonly heads: number
  readonly headDim: number
}

export interface FeedPlan {
  readonly hasAttentionMask: boolean
  readonly hasPositionIds: boolean
  /** True when the graph can be asked for the logits of the last rows only. */
  readonly hasNumLogitsToKeep: boolean
  readonly slots: readonly CacheSlot[]
  /** True when every slot is appended in place by GroupQueryAttention: one buffer is both past and present. */
  readonly appendsInPlace: boolean
  readonly logitsType: 'float32' | 'float16'
  readonly vocabSize: number
}

/** @throws SpoutError `config` naming the tensor that is missing, unknown or of another shape or type. */
export function makeFeedPlan(
  session: Pick<Session, 'inputs' | 'outputs'>,
  graph: Graph,
  config: ModelConfig,
): FeedPlan {
  const inputs = new Map(session.inputs.map((info) => [info.name, info]))
  const outputs = new Map(session.outputs.map((info) => [info.name, info]))
  const take = (name: string): boolean => {
    const info = inputs.get(name)
    if (info !== undefined && info.type !== 'int64') {
      throw unsupported(`input ${name} is ${info.type}`, 'int64')
    }
    return inputs.delete(name)
  }
  if (!take('input_ids')) throw unsupported(`inputs are ${[...inputs.keys()].join(', ')}`, 'input_ids')
  const logits = outputs.get('logits')
  if (logits === undefined) throw unsupported(`outputs are ${[...outputs.keys()].join(', ')}`, 'logits')
  if (logits.type !== 'float32' && logits.type !== 'float16') {
    throw unsupported(`logits are ${logits.type}`, 'float32 or float16')
  }
  const plan = {
    hasAttentionMask: take('attention_mask'),
    hasPositionIds: take('position_ids'),
    hasNumLogitsToKeep: take(NUM_LOGITS_TO_KEEP),
  }
  const readers = readersOf(graph)
  const slots = [...inputs.values()].map((info) => makeSlot(info, outputs, readers, config))
  return {
    ...plan,
    slots,
    appendsInPlace: slots.length > 0 && slots.every((slot) => appendsInPlace(readers.get(slot.past) ?? [])),
    logitsType: logits.type,
    vocabSize: vocabularySize(logits, config),
  }
}

function makeSlot(
  info: TensorInfo,
  outputs: ReadonlyMap<string, TensorInfo>,
  readers: ReadonlyMap<string, readonly GraphNode[]>,
  config: ModelConfig,
): CacheSlot {
  const present = presentName(info.name, outputs)
  if (present === undefined || info.dims.length !== 4) {
    throw unsupported(
      `input ${info.name} [${info.dims.join(', ')}]`,
      'input_ids, attention_mask, position_ids, num_logits_to_keep, past_key_values.N.key and .value',
    )
  }
  const attention = readers.get(info.name)?.find((node) => node.opType === 'GroupQueryAttention')
  const heads = firstNumber(info.dims[1], attention?.ints.kv_num_heads, config.kvHeads)
  const headDim = firstNumber(info.dims[3], config.headDim)
  if (heads === undefined || headDim === undefined) {
    throw unsupported(
      `input ${info.name} [${info.dims.join(', ')}]`,
      'its sizes in the graph or in config.json',
    )
  }
  return { past: info.name, present, type: info.type, heads, headDim }
}

/** The output that continues a past input, by the names exporters use. */
function presentName(past: string, outputs: ReadonlyMap<string, TensorInfo>): string | undefined {
  const candidates = [
    past.replace(/^past_key_values\./, 'present.'),
    past.replace(/^past_key_values\./, 'present_key_values.'),
    past.replace(/^past\./, 'present.'),
    past.replace(/^input\./, 'output.'),
  ]
  return candidates.find((name) => name !== past && outputs.has(name))
}

function readersOf(graph: Graph): Map<string, GraphNode[]> {
  const readers = new Map<string, GraphNode[]>()
  for (const node of graph.nodes) {
    for (const input of node.inputs) {
      const list = readers.get(input)
      if (list === undefined) readers.set(input, [node])
      else list.push(node)
    }
  }
  return readers
}

function appendsInPlace(readers: readonly GraphNode[]): boolean {
  return (
    readers.length > 0 &&
    readers.every((node) => node.opType === 'GroupQueryAttention' && node.ints.sliding_window_cache !== 1)
  )
}

function vocabularySize(logits: TensorInfo, config: ModelConfig): number {
  const size = firstNumber(logits.dims[logits.dims.length - 1], config.vocabSize)
  if (size === undefined) throw unsupported('no vocab_size', 'one in the graph or in config.json')
  return size
}

function firstNumber(...values: (number | string | undefined)[]): number | undefined {
  return values.find((value): value is number => typeof value === 'number' && value > 0)
}

function unsupported(found: string, expected: string): SpoutError {
  return new SpoutError('config', `model graph: found ${found}; expected ${expected}`)
}
