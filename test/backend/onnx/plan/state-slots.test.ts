/** Shapes as exporters declare them, and the states they mean. */
import { expect, test } from 'vitest'
import { readStateSlots } from '../../../../src/backend/onnx/plan/state-slots.ts'
import type { Graph, GraphNode } from '../../../../src/onnx-file/graph.ts'
import type { TensorFacts } from '../../../../src/onnx-file/tensor-parts.ts'
import type { ElementType, TensorInfo } from '../../../../src/onnx-runtime/runtime.ts'
import { emptyConfig } from '../../../support/open-onnx.ts'

type Dims = readonly (number | string)[]

function info(name: string, dims: Dims, type: ElementType = 'float32'): TensorInfo {
  return { name, type, dims }
}

function nodeOf(
  opType: string,
  inputs: string[],
  outputs: string[],
  ints: Record<string, number> = {},
): GraphNode {
  return {
    opType,
    domain: '',
    inputs,
    outputs,
    ints,

    bodies: [],
    bytes: new Uint8Array(),
  }
}

function graphOf(nodes: readonly GraphNode[], initializers: Record<string, TensorFacts> = {}): Graph {
  return {
    nodes,
    initializers: new Map(Object.entries(initializers)),
    inputs: [],
    outputs: [],
    otherFields: [],
    modelFields: [],
    opTypes: new Set(),
    domains: new Set(),
    weightsFolder: '.',
    files: [],
  }
}

function slotOf(past: TensorInfo, present: TensorInfo, graph = graphOf([]), config = emptyConfig) {
  return readStateSlots([past], new Map([[present.name, present]]), { graph, config })[0]
}

const names: readonly [string, string][] = [
  ['past_key_values.3.key', 'present.3.key'],
  ['past_key_values.3.value', 'present_key_values.3.value'],
  ['past.3.key', 'present.3.key'],
  ['input.past_key_values.layers.3.keys', 'output.past_key_values.layers.3.keys'],
]
test.each(names)('%s is continued by %s', (past, present) => {
  const slot = slotOf(info(past, ['b', 2, 'p', 8]), info(present, ['b', 2, 'p + s', 8]))
  expect(slot).toMatchObject({ kind: 'rows', past, present, axis: 2, dims: [1, 2, 0, 8] })
})

const fixed: readonly [string, string][] = [
  ['past_conv.0', 'present_conv.0'],
  ['past_ssm.1', 'present_ssm.1'],
  ['past_recurrent.2', 'present_recurrent.2'],
  ['past_key_values.4.conv_state', 'present.4.conv_state'],
  ['past_conv.0.key', 'present_conv.0.key'],
  ['input.past_key_values.layers.3.conv_states.0', 'output.past_key_values.layers.3.conv_states.0'],
]
test.each(fixed)('%s of fixed size is continued by %s', (past, present) => {
  const slot = slotOf(info(past, ['batch', 16, 4]), info(present, ['batch', 16, 4]))
  expect(slot).toMatchObject({ kind: 'fixed', dims: [1, 16, 4], carries: false })
})

test('the operators that define what a state means carry it through many tokens', () => {
  for (const opType of ['Concat', 'CausalConvWithState', 'LinearAttention']) {
    const graph = graphOf([nodeOf(opType, ['past_conv.0', 'x'], ['y'])])
    expect(
      slotOf(info('past_conv.0', ['b', 4, 3]), info('present_conv.0', ['b', 4, 3]), graph),
    ).toMatchObject({
      carries: true,
    })
  }
})

test('sizes written as names of digits are sizes', () => {
  const slot = slotOf(
    info('input.past_key_values.layers.0.keys', ['s3', '4', 's16', '8']),
    info('output.past_key_values.layers.0.keys', ['s3', 4, 's16 + s70', 8]),
  )
  expect(slot).toMatchObject({ axis: 2, dims: [1, 4, 0, 8] })
})

test('tokens may grow along another axis, and heads be folded into the batch', () => {
  const config = { ...emptyConfig, attentionHeads: 6 }
  const batch = 'batch_size x num_heads'
  const key = slotOf(
    info('past_key_values.0.key', [batch, 8, 'past_sequence_length']),
    info('present.0.key', [batch, 8, 'past_sequence_length + 1']),
    graphOf([]),
    config,
  )
  expect(key).toMatchObject({ axis: 2, dims: [6, 8, 0] })
  const both = slotOf(
    info('past_key_values.0.key_value', ['batch', 'past', 32]),
    info('present.0.key_value', ['batch', 'past + s', 32]),
  )
  expect(both).toMatchObject({ axis: 1, dims: [1, 0, 32] })
})

test('nameless sizes: keys and values are [batch, heads, tokens, size]', () => {
  const slot = slotOf(info('past.0.key', ['', 2, '', 8]), info('present.0.key', ['', 2, '', 8]))
  expect(slot).toMatchObject({ axis: 2, dims: [1, 2, 0, 8] })
})

const attention = (ints: Record<string, number>, query = 'qkv', key = ''): GraphNode =>
  nodeOf(
    'GroupQueryAttention',
    [query, key, '', 'past_key_values.0.key', 'past_key_values.0.value'],
    ['out', 'present.0.key', 'present.0.value'],
    { num_heads: 4, kv_num_heads: 2, ...ints },
  )
const free = {
  past: info('past_key_values.0.key', ['b', 'heads', 'past', 'kv_cache_dim']),
  present: info('present.0.key', ['b', 'heads', 'total', 'kv_cache_dim']),
}

test('a head size that is not declared is read off the projection, else from the config', () => {
  const byName = graphOf([nodeOf('MatMulNBits', ['x', 'w'], ['qkv'], { N: 8 * 24 }), attention({})])
  expect(slotOf(free.past, free.present, byName)).toMatchObject({ dims: [1, 2, 0, 24], inPlace: true })
  const weight = { w: { type: 1, dims: [64, 8 * 12], scalar: undefined } }
  const biased = [nodeOf('MatMul', ['x', 'w'], ['y']), nodeOf('Add', ['y', 'bias'], ['qkv']), attention({})]
  expect(slotOf(free.past, free.present, graphOf(biased, weight))).toMatchObject({ dims: [1, 2, 0, 12] })
  const split = graphOf([attention({}, 'q', 'k')])
  const config = { ...emptyConfig, headDim: 40 }
  expect(slotOf(free.past, free.present, split, config)).toMatchObject({ dims: [1, 2, 0, 40] })
})

test('four bits a number: half as many bytes as numbers', () => {
  const past = info('past_key_values.0.key', ['b', 2, 'past', 'kv_cache_dim'], 'uint8')
  const present = info('present.0.key', ['b', 2, 'total', 'kv_cache_dim'], 'uint8')
  const graph = graphOf([attention({ kv_cache_bit_width: 4 })])
  expect(slotOf(past, present, graph, { ...emptyConfig, headDim: 64 })).toMatchObject({ dims: [1, 2, 0, 32] })
})

test('not in place when something stands between the cache and the operator', () => {
  const config = { ...emptyConfig, headDim: 8 }
  const cast = attention({})
  const before = graphOf([
    { ...cast, inputs: cast.inputs.map((name) => (name.endsWith('.key') ? 'cast' : name)) },
  ])
  expect(
    slotOf(free.past, info('present.0.key', ['b', 2, 't', 8]), before, { ...config, kvHeads: 2 }),
  ).toMatchObject({
    inPlace: false,
  })
  const shared = graphOf([attention({}), nodeOf('Shape', ['past_key_values.0.key'], ['shape'])])
  expect(slotOf(free.past, free.present, shared, config)).toMatchObject({ inPlace: false })
  const after = graphOf([
    { ...attention({}), outputs: ['out', 'made', 'present.0.value'] },
    nodeOf('Cast', ['made'], ['present.0.key']),
  ])
  expect(slotOf(free.past, free.present, after, config)).toMatchObject({ inPlace: false })
})

test('a window without a size is no window', () => {
  const graph = graphOf([attention({ sliding_window_cache: 1, local_window_size: -1 })])
  expect(() => slotOf(free.past, free.present, graph)).toThrow(
    expect.objectContaining({
      exitCode: 78,
      message: expect.stringMatching(/past_key_values\.0\.key .* with local_window_size -1/),
    }),
  )
})

test('an attention that appends to a past of fixed length is refused', () => {
  const past = info('past_key_values.0.key', [1, 2, 512, 64])
  const graph = graphOf([attention({})])
  expect(() => slotOf(past, info('present.0.key', [1, 2, 512, 64]), graph)).toThrow(
    /found past_key_values\.0\.key float32 \[1, 2, 512, 64\]; expected a past of free length/,
  )
})
