/**
 * Decoders of a few nodes, one for each kind of state: what follows depends on every id before it, so a state that is
 * lost, kept too long or out of order shows in the logits.
 */
import {
  BOOL,
  FLOAT,
  graphAttribute,
  INT64,
  initializer,
  intAttribute,
  integers,
  intsAttribute,
  model,
  node,
  value,
} from './tiny-graphs.ts'

export const TOY_VOCAB = 23
const SIZE = 16
const WINDOW = 4

/** `concat`, `gqa`, `window`: keys and values. `conv`: a state carried by Concat. `recurrent`: one carried by Add. */
export type ToyLayer = 'concat' | 'gqa' | 'window' | 'conv' | 'recurrent'

export interface ToyOptions {
  readonly layers: readonly ToyLayer[]
  readonly positionRows?: 0 | 1 | 3
  /** `embeds`: the graph takes inputs_embeds. */
  readonly input?: 'ids' | 'embeds'
  /** The last id of the vocabulary makes a run fail, after every state has been written. */
  readonly failsLate?: boolean
  /** Fixed number of ids per run. */
  readonly tokens?: number | string
  /** Replaces or adds parts of the graph. */
  readonly extra?: readonly Uint8Array[]
}

/** inputs_embeds = table[input_ids] */
export function toyEmbedding(): Uint8Array {
  return model([
    table(),
    node('Gather', ['table', 'input_ids'], ['inputs_embeds']),
    value('input', 'input_ids', ['batch', 'tokens'], INT64),
    value('output', 'inputs_embeds', ['batch', 'tokens', SIZE]),
  ])
}

export function toyDecoder(options: ToyOptions): Uint8Array {
  const {
    layers,
    positionRows = 0,
    input = 'ids',
    failsLate = false,
    tokens = 'tokens',
    extra = [],
  } = options
  const outputs = layers.map((_, i) => `out.${i}`)
  return model([
    ...constants(),
    ...(input === 'ids'
      ? [
          value('input', 'input_ids', ['batch', tokens], INT64),
          table(),
          node('Gather', ['table', 'input_ids'], ['embedded']),
        ]
      : [
          value('input', 'inputs_embeds', ['batch', tokens, SIZE]),
          node('Identity', ['inputs_embeds'], ['embedded']),
        ]),
    ...placed(positionRows),
    value('input', 'attention_mask', ['batch', 'total'], INT64),
    ...attentionLengths(),
    ...layers.flatMap((layer, i) => LAYERS[layer](i)),
    // Of all ids so far, also where no layer has a state.
    node('CumSum', ['x', 'one'], ['summed']),
    node('Mul', ['summed', layers.length === 0 ? 'tenth' : 'zero'], ['known']),
    node('Sum', ['x', 'known', ...outputs], ['mixed']),
    ...(failsLate ? lateFailure() : [node('Identity', ['mixed'], ['hidden'])]),
    node('Tanh', ['hidden'], ['bounded']),
    node('MatMul', ['bounded', 'head'], ['logits']),
    initializer('head', [SIZE, TOY_VOCAB], noise(SIZE * TOY_VOCAB, 2)),
    value('output', 'logits', ['batch', 'tokens', TOY_VOCAB]),
    ...extra,
  ])
}

/**
 * Two whole graphs in an If, as old exporters merged them: the one for a past only serves a single id, as if it had
 * been traced with one.
 */
export function toyMerged(): Uint8Array {
  const state = (name: string): Uint8Array[] => [
    value('input', `past_key_values.0.${name}`, ['batch', 1, 'past', SIZE]),
    value('output', `present.0.${name}`, ['batch', 1, 'present', SIZE]),
  ]
  return model([
    ...constants(),
    table(),
    initializer('head', [SIZE, TOY_VOCAB], noise(SIZE * TOY_VOCAB, 2)),
    value('input', 'input_ids', ['batch', 'tokens'], INT64),
    value('input', 'use_cache_branch', [1], BOOL),
    ...state('key'),
    ...state('value'),
    node('If', ['use_cache_branch'], ['logits', 'present.0.key', 'present.0.value'], {
      attributes: [
        graphAttribute('then_branch', branch('then')),
        graphAttribute('else_branch', branch('else')),
      ],
    }),
    value('output', 'logits', ['batch', 'tokens', TOY_VOCAB]),
  ])
}

function branch(name: 'then' | 'else'): Uint8Array[] {
  const own = (part: string): string => `${name}/${part}`
  const rows = own('rows')
  const past = name === 'then'
  return [
    node('Gather', ['table', 'input_ids'], [own('x')]),
    node('Unsqueeze', [own('x'), 'axis.1'], [rows]),
    ...(past
      ? [
          // Only the first of the new ids is seen.
          node('Slice', [rows, 'at.0', 'axis.1', 'axis.2'], [own('first')]),
          node('Concat', ['past_key_values.0.key', own('first')], [own('key')], axis(2)),
          node('Concat', ['past_key_values.0.value', own('first')], [own('value')], axis(2)),
          node('ReduceSum', [own('key'), 'axis.2'], [own('sum')], {
            attributes: [intAttribute('keepdims', 1)],
          }),
        ]
      : [
          node('Identity', [rows], [own('key')]),
          node('Identity', [rows], [own('value')]),
          node('CumSum', [rows, 'two'], [own('sum')]),
        ]),
    node('Squeeze', [own('sum'), 'axis.1'], [own('hidden')]),
    node('Tanh', [own('hidden')], [own('bounded')]),
    node('MatMul', [own('bounded'), 'head'], [own('logits')]),
    value('output', own('logits'), ['batch', 'tokens', TOY_VOCAB]),
    value('output', own('key'), ['batch', 1, 'present', SIZE]),
    value('output', own('value'), ['batch', 1, 'present', SIZE]),
  ]
}

const LAYERS: Readonly<Record<ToyLayer, (i: number) => Uint8Array[]>> = {
  concat: concatLayer,
  gqa: toyAttention,
  window: (i) =>
    attentionLayer(i, [intAttribute('local_window_size', WINDOW), intAttribute('sliding_window_cache', 1)]),
  conv: convLayer,
  recurrent: recurrentLayer,
}

function concatLayer(i: number): Uint8Array[] {
  const part = (name: string, source: string): Uint8Array[] => [
    value('input', `past_key_values.${i}.${name}`, ['batch', 1, 'past', SIZE]),
    value('output', `present.${i}.${name}`, ['batch', 1, 'past + tokens', SIZE]),
    node('Concat', [`past_key_values.${i}.${name}`, source], [`present.${i}.${name}`], axis(2)),
    node('ReduceSum', [`past_key_values.${i}.${name}`, 'axis.2'], [`before.${i}.${name}`]),
    node('CumSum', [source, 'two'], [`since.${i}.${name}`]),
    node('Add', [`before.${i}.${name}`, `since.${i}.${name}`], [`sum.${i}.${name}`]),
  ]
  return [
    node('Unsqueeze', ['x', 'axis.1'], [`rows.${i}`]),
    node('Mul', [`rows.${i}`, `rows.${i}`], [`squares.${i}`]),
    ...part('key', `rows.${i}`),
    ...part('value', `squares.${i}`),
    node('Add', [`sum.${i}.key`, `sum.${i}.value`], [`sum.${i}`]),
    node('Squeeze', [`sum.${i}`, 'axis.1'], [`flat.${i}`]),
    node('Mul', [`flat.${i}`, 'tenth'], [`out.${i}`]),
  ]
}

/** One head; queries, keys and values are `x`. */
export function toyAttention(i: number): Uint8Array[] {
  return attentionLayer(i, [])
}

function attentionLayer(i: number, attributes: readonly Uint8Array[]): Uint8Array[] {
  const past = [`past_key_values.${i}.key`, `past_key_values.${i}.value`]
  const present = [`present.${i}.key`, `present.${i}.value`]
  return [
    ...past.map((name) => value('input', name, ['batch', 1, 'past', 'size'])),
    ...present.map((name) => value('output', name, ['batch', 1, 'total', 'size'])),
    node('GroupQueryAttention', ['x', 'x', 'x', ...past, 'seqlens', 'total'], [`out.${i}`, ...present], {
      domain: 'com.microsoft',
      attributes: [intAttribute('num_heads', 1), intAttribute('kv_num_heads', 1), ...attributes],
    }),
  ]
}

function convLayer(i: number): Uint8Array[] {
  const slice = (from: string, to: string, name: string): Uint8Array =>
    node('Slice', [`all.${i}`, from, to, 'axis.2'], [name])
  return [
    value('input', `past_conv.${i}`, ['batch', SIZE, 2]),
    value('output', `present_conv.${i}`, ['batch', SIZE, 2]),
    node('Transpose', ['x'], [`columns.${i}`], { attributes: [intsAttribute('perm', [0, 2, 1])] }),
    node('Concat', [`past_conv.${i}`, `columns.${i}`], [`all.${i}`], axis(2)),
    slice('at.2', 'at.end', `now.${i}`),
    slice('at.1', 'at.-1', `one.${i}`),
    slice('at.0', 'at.-2', `two.${i}`),
    slice('at.-2', 'at.end', `present_conv.${i}`),
    node('Mul', [`one.${i}`, 'tenth'], [`some.${i}`]),
    node('Sum', [`now.${i}`, `some.${i}`, `two.${i}`], [`mixed.${i}`]),
    node('Transpose', [`mixed.${i}`], [`out.${i}`], { attributes: [intsAttribute('perm', [0, 2, 1])] }),
  ]
}

function recurrentLayer(i: number): Uint8Array[] {
  return [
    value('input', `past_recurrent.${i}`, ['batch', SIZE]),
    value('output', `present_recurrent.${i}`, ['batch', SIZE]),
    node('ReduceSum', ['x', 'axis.1'], [`added.${i}`], { attributes: [intAttribute('keepdims', 0)] }),
    node('Add', [`past_recurrent.${i}`, `added.${i}`], [`present_recurrent.${i}`]),
    node('Unsqueeze', [`past_recurrent.${i}`, 'axis.1'], [`state.${i}`]),
    node('CumSum', ['x', 'one'], [`since.${i}`]),
    node('Add', [`state.${i}`, `since.${i}`], [`sum.${i}`]),
    node('Mul', [`sum.${i}`, 'tenth'], [`out.${i}`]),
  ]
}

/** x, the embeddings stretched by their positions. */
function placed(rows: 0 | 1 | 3): Uint8Array[] {
  if (rows === 0) return [node('Identity', ['embedded'], ['x'])]
  const cast = { attributes: [intAttribute('to', FLOAT)] }
  return [
    value('input', 'position_ids', rows === 3 ? [3, 'batch', 'tokens'] : ['batch', 'tokens'], INT64),
    ...(rows === 3
      ? [
          node('ReduceSum', ['position_ids', 'at.0'], ['places'], {
            attributes: [intAttribute('keepdims', 0)],
          }),
        ]
      : [node('Identity', ['position_ids'], ['places'])]),
    node('Cast', ['places'], ['numbers'], cast),
    node('Unsqueeze', ['numbers', 'axis.2'], ['column']),
    node('Mul', ['column', 'tenth'], ['stretch']),
    node('Mul', ['embedded', 'stretch'], ['stretched']),
    node('Add', ['embedded', 'stretched'], ['x']),
  ]
}

/** Looks every id up in a table that is one row short. */
function lateFailure(): Uint8Array[] {
  return [
    node('Mul', ['mixed', 'zero'], ['nothing']),
    node('ReduceMax', ['nothing'], ['none'], {
      attributes: [intsAttribute('axes', [2]), intAttribute('keepdims', 0)],
    }),
    node('Cast', ['none'], ['offset'], { attributes: [intAttribute('to', INT64)] }),
    node('Add', ['input_ids', 'offset'], ['late.ids']),
    initializer('late', [TOY_VOCAB - 1, 1], new Float32Array(TOY_VOCAB - 1)),
    node('Gather', ['late', 'late.ids'], ['late.rows']),
    node('Add', ['mixed', 'late.rows'], ['hidden']),
  ]
}

/** What GroupQueryAttention wants to know of the mask. Of the constants it needs `axis.1` and `one`. */
export function attentionLengths(): Uint8Array[] {
  const int32 = { attributes: [intAttribute('to', 6)] }
  return [
    node('ReduceSum', ['attention_mask', 'axis.1'], ['ones'], { attributes: [intAttribute('keepdims', 0)] }),
    node('Sub', ['ones', 'axis.1'], ['last']),
    node('Cast', ['last'], ['seqlens'], int32),
    node('Shape', ['attention_mask'], ['mask.shape']),
    node('Gather', ['mask.shape', 'one'], ['mask.length'], axis(0)),
    node('Cast', ['mask.length'], ['total'], int32),
  ]
}

function constants(): Uint8Array[] {
  return [
    ...[-2, -1, 0, 1, 2].map((i) => integers(`at.${i}`, [1], [i])),
    integers('at.end', [1], [2 ** 40]),
    integers('axis.1', [1], [1]),
    integers('axis.2', [1], [2]),
    integers('one', [], [1]),
    integers('two', [], [2]),
    initializer('tenth', [], Float32Array.of(0.1)),
    initializer('zero', [], Float32Array.of(0)),
  ]
}

function axis(value: number): { attributes: Uint8Array[] } {
  return { attributes: [intAttribute('axis', value)] }
}

function table(): Uint8Array {
  return initializer('table', [TOY_VOCAB, SIZE], noise(TOY_VOCAB * SIZE, 1))
}

/** Numbers between -1 and 1, the same ones every time. */
function noise(count: number, seed: number): Float32Array {
  let state = seed * 2654435761
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0
    return state / 2 ** 31
  })
}
