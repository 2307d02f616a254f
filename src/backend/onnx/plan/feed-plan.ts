/**
 * What a graph wants and gives, read from what the session and the graph declare, and what follows from it: whether
 * a prompt may go in by pieces, whether its states can go back. Nothing is guessed: an input this program does not
 * know is an error that names what was expected and what was found.
 */

import { mixesRows } from '../../../graph-passes/heads.ts'
import { LAST_ROW, NUM_LOGITS_TO_KEEP, WANTED } from '../../../graph-passes/keep-last-rows.ts'
import { LENGTH, LENGTH_LESS_ONE } from '../../../graph-passes/length-inputs.ts'
import { KV, PAGES, PARTS } from '../../../graph-passes/own-attention.ts'
import type { RowUse } from '../../../graph-passes/row-by-row.ts'
import type { ModelConfig } from '../../../model/resolved-model.ts'
import { BFLOAT16, FLOAT16 } from '../../../onnx-file/fields.ts'
import type { Graph } from '../../../onnx-file/graph.ts'
import { weightBytes } from '../../../onnx-file/weight-bytes.ts'
import type { ElementType, Session, TensorInfo } from '../../../onnx-runtime/runtime.ts'
import { contextLength } from './context-length.ts'
import { readRopeTables } from './rope-table.ts'
import { readStateSlots, type StateSlot } from './state-slots.ts'
import { tensorText, unsupported } from './unsupported.ts'

/**
 * How ids may be split over runs: `any` way; `one-by-one` after the first run, because the graph's mask or states do
 * not serve several new tokens after a past; `single`, one id to every run.
 */
type Chunking = 'any' | 'one-by-one' | 'single'

/** Plain data: it may be kept as JSON beside a graph. */
export interface FeedPlan {
  /** Inputs that a session of embeddings makes of the ids; none when the graph takes `input_ids` itself. */
  readonly embeddings: readonly string[]
  readonly hasAttentionMask: boolean
  /** The graph takes the length of the text as two numbers (see `length-inputs.ts`), and no mask. */
  readonly hasLengths?: boolean | undefined
  /** Rows of `position_ids`: none, one, or the three of models that also place pictures, alike for text. */
  readonly positionRows: 0 | 1 | 3
  /** The graph can be asked for the logits of the last rows only; the shape of that input. */
  readonly keepInput: readonly number[] | undefined
  /** The graph gives the logits of the last row alone, whatever went in. */
  readonly isLastRow?: boolean | undefined
  /** Of a page of keys and values, where attention of ours keeps them in pages. */
  readonly pageBytes?: number | undefined
  /**
   * The graph gives the logits of the rows that it is told, and its rows may be of several sequences. `exact`: to the last bit
   * each is what it would be alone.
   */
  readonly ragged?: 'apart' | 'exact' | undefined
  /** `use_cache_branch`: false for a run without a past, true for all others. */
  readonly hasCacheBranch: boolean
  readonly slots: readonly StateSlot[]
  readonly logitsType: 'float32' | 'float16'
  /** Axes of the logits: [batch, rows, vocabulary], or without the rows. */
  readonly logitsRank: 2 | 3
  readonly vocabSize: number
  readonly chunking: Chunking
  /**
   * False when the logits depend on how the ids were split: dynamic int8 takes its scale from all rows of a run, and what
   * stands behind a head may mix them.
   */
  readonly exactSplits: boolean
  /** Texts longer than this use another rope table, so their keys must be made again; mostly longer than any text. */
  readonly ropeSwitch: number
  readonly contextLength: number
  /** What a CPU cannot do well with this graph, one line each. */
  readonly warnings: readonly string[]
}

/** Whether anything is remembered of a text from one run to the next. */
export function hasStates({ slots, pageBytes }: FeedPlan): boolean {
  return slots.length > 0 || pageBytes !== undefined
}

interface PlanSources {
  readonly session: Pick<Session, 'inputs' | 'outputs'>
  readonly graph: Graph
  readonly config: ModelConfig
  /** What a session of embeddings gives. */
  readonly embeddings?: ReadonlySet<string>
  /** Whether rows of several sequences may be in one run, as far as the graph tells. */
  readonly rows?: RowUse | undefined
}

/** @throws SpoutError `config` naming the tensor that is missing, unknown or of another shape or type. */
export function makeFeedPlan({ session, graph, config, embeddings = NONE, rows }: PlanSources): FeedPlan {
  const inputs = new Inputs(session.inputs)
  const outputs = new Map(session.outputs.map((info) => [info.name, info]))
  const embedded = inputs.takeAll(embeddings)
  const ids = embedded.length === 0 ? inputs.integers('input_ids', 2) : undefined
  if (embedded.length === 0 && ids === undefined) throw unsupported(`inputs ${inputs.names}`, 'input_ids')
  const runLength = ids?.dims[1]
  if (typeof runLength === 'number' && runLength !== 1)
    throw unsupported(tensorText(ids!), 'a free number of ids')
  const mask = inputs.integers('attention_mask', 2)
  if (typeof mask?.dims[1] === 'number') throw unsupported(tensorText(mask), 'a mask of free length')
  const hasLengths = inputs.takeAll(LENGTHS).length > 0
  const positionRows = positionRowsOf(inputs.integers('position_ids', 2, 3))
  const keep = inputs.integers(NUM_LOGITS_TO_KEEP, 0, 1)
  const hasCacheBranch = inputs.take('use_cache_branch', ['bool'], 1) !== undefined
  const pageBytes = inputs.pageBytes()
  const isRagged = inputs.take(WANTED, ['int64'], 1) !== undefined && rows !== 'mixed'
  const slots = readStateSlots(inputs.rest, outputs, { graph, config })
  const logits = readLogits(outputs)
  const rope = readRopeTables(graph)
  return {
    embeddings: embedded,
    hasAttentionMask: mask !== undefined,
    ...(hasLengths && { hasLengths }),
    positionRows,
    keepInput: keep?.dims.map(() => 1),
    ...(graph.initializers.has(LAST_ROW) && { isLastRow: true }),
    hasCacheBranch,
    ...(pageBytes !== undefined && { pageBytes }),
    ...(isRagged && { ragged: rows }),
    slots,
    logitsType: logits.type as 'float32' | 'float16',
    logitsRank: logits.dims.length as 2 | 3,
    vocabSize: vocabularySize(logits, config),
    chunking: runLength === 1 ? 'single' : servesPieces(graph, slots, hasCacheBranch) ? 'any' : 'one-by-one',
    exactSplits: !DYNAMIC_INT8.some((opType) => graph.opTypes.has(opType)) && !mixesRows(graph, 'logits'),
    ropeSwitch: rope.switchAt,
    contextLength: contextLength(config, rope.rows),
    warnings: warningsAbout(graph, logits, pageBytes === undefined ? slots : [...slots, 'pages']),
  }
}

const NONE: ReadonlySet<string> = new Set()
const LENGTHS: ReadonlySet<string> = new Set([LENGTH_LESS_ONE, LENGTH])
const DYNAMIC_INT8 = [
  'DynamicQuantizeLinear',
  'DynamicQuantizeMatMul',
  'MatMulInteger',
  'MatMulIntegerToFloat',
  'QAttention',
]

/** Inputs by name, each taken once; what is left must be states. */
class Inputs {
  readonly #left: Map<string, TensorInfo>

  constructor(infos: readonly TensorInfo[]) {
    this.#left = new Map(infos.map((info) => [info.name, info]))
  }

  get rest(): TensorInfo[] {
    return [...this.#left.values()]
  }

  get names(): string {
    return this.rest.map(tensorText).join(', ').slice(0, 400)
  }

  takeAll(names: ReadonlySet<string>): string[] {
    return [...names].filter((name) => this.#left.delete(name))
  }

  integers(name: string, ...ranks: number[]): TensorInfo | undefined {
    return this.take(name, ['int64'], ...ranks)
  }

  /** Of keys and values of ours; `undefined` where there are none. */
  pageBytes(): number | undefined {
    const kv = this.take(KV, ['uint8'], 2)
    this.take(PARTS, ['int32'], 2)
    this.take(PAGES, ['int32'], 1)
    return kv && Number(kv.dims[1])
  }

  take(name: string, types: readonly ElementType[], ...ranks: number[]): TensorInfo | undefined {
    const info = this.#left.get(name)
    if (info === undefined) return undefined
    if (!types.includes(info.type) || !ranks.includes(info.dims.length)) {
      throw unsupported(`input ${tensorText(info)}`, `${types.join(' or ')} of ${ranks.join(' or ')} axes`)
    }
    this.#left.delete(name)
    return info
  }
}

function positionRowsOf(info: TensorInfo | undefined): 0 | 1 | 3 {
  if (info === undefined) return 0
  if (info.dims.length === 2) return 1
  if (info.dims[0] === 3) return 3
  throw unsupported(`input ${tensorText(info)}`, '[3, batch, tokens]')
}

function readLogits(outputs: ReadonlyMap<string, TensorInfo>): TensorInfo {
  const logits = outputs.get('logits')
  if (logits === undefined) {
    throw unsupported(`outputs ${[...outputs.keys()].slice(0, 8).join(', ')}`, 'logits')
  }
  const known = logits.type === 'float32' || logits.type === 'float16'
  if (!known || (logits.dims.length !== 3 && logits.dims.length !== 2)) {
    throw unsupported(`output ${tensorText(logits)}`, 'float32 or float16 [batch, tokens, vocabulary]')
  }
  return logits
}

function vocabularySize(logits: TensorInfo, config: ModelConfig): number {
  const declared = Number(logits.dims.at(-1))
  const size = Number.isInteger(declared) && declared > 0 ? declared : config.vocabSize
  if (size === undefined) throw unsupported(`output ${tensorText(logits)} and no vocab_size`, 'one of them')
  return size
}

/**
 * Whether several new tokens after a past give what they would give in one run. MultiHeadAttention graphs have a
 * mask of new × new; merged decoders have a branch for the past that was traced with one token; recurrences may be
 * written out for one step.
 */
function servesPieces(graph: Graph, slots: readonly StateSlot[], hasCacheBranch: boolean): boolean {
  if (hasCacheBranch || graph.opTypes.has('MultiHeadAttention')) return false
  return slots.every((slot) => slot.kind !== 'fixed' || slot.carries)
}

function warningsAbout(graph: Graph, logits: TensorInfo, states: readonly (StateSlot | 'pages')[]): string[] {
  const warnings: string[] = []
  if (
    logits.type === 'float16' ||
    states.some((state) => state !== 'pages' && state.type === 'float16') ||
    isMostlyHalf(graph)
  ) {
    warnings.push('this graph computes in fp16, which a CPU has to emulate: --dtype q4 (or fp32) is faster')
  }
  if (states.length === 0) {
    warnings.push('this graph has no KV cache: the whole text is run again for every token')
  }
  return warnings
}

/** More bytes of weights in half precision than in all other types together. */
function isMostlyHalf(graph: Graph): boolean {
  return 2 * weightBytes(graph, HALF) > weightBytes(graph)
}

const HALF: ReadonlySet<number> = new Set([FLOAT16, BFLOAT16])
