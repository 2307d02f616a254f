/** A graph that gives the last rows only gives the same numbers as the one in the file. */
import { describe, expect, test } from 'vitest'
import { mixesRows } from '../../src/graph-passes/heads.ts'
import { keepLastRows, NUM_LOGITS_TO_KEEP } from '../../src/graph-passes/keep-last-rows.ts'
import { encodeGraph, type Graph, readGraphFile } from '../../src/onnx-file/graph-file.ts'
import { varintField } from '../../src/onnx-file/wire.ts'
import { openRuntime } from '../../src/onnx-runtime/open-runtime.ts'
import type { Session } from '../../src/onnx-runtime/runtime.ts'
import { goldenFiles, hasGoldenModels, NEEDS_DATA } from '../support/golden-models.ts'
import { graphFile } from '../support/graph-file.ts'
import {
  bytesOfField,
  FLOAT,
  INT64,
  initializer,
  intAttribute,
  intsAttribute,
  model,
  node,
  value,
} from '../support/tiny-graphs.ts'
import { toyDecoder, toyMerged } from '../support/toy-decoder.ts'

const IDS = [3, 1, 4, 1, 5]

async function open(graph: Graph): Promise<Session> {
  const source = { bytes: encodeGraph(graph), weightsFolder: graph.weightsFolder }
  return (await openRuntime('c-api')).createSession(source, { threads: 1, spinning: false })
}

interface Rows {
  readonly dims: readonly number[]
  readonly numbers: Float32Array
}

/** The logits of `IDS` as a first run, for each number of rows to keep, which is fed where it is an input. */
async function logitsOf(graph: Graph, keeps: readonly number[]): Promise<Rows[]> {
  const session = await open(graph)
  const length = IDS.length
  const integers = (numbers: number[]): BigInt64Array => BigInt64Array.from(numbers, BigInt)
  for (const { name, type, dims } of session.inputs) {
    if (name === NUM_LOGITS_TO_KEEP) continue
    if (name === 'input_ids') session.bindData(name, 'int64', integers(IDS), [1, length])
    else if (name === 'attention_mask')
      session.bindData(name, 'int64', integers(IDS.map(() => 1)), [1, length])
    else if (name === 'position_ids')
      session.bindData(name, 'int64', integers(IDS.map((_, i) => i)), [1, length])
    else if (name === 'use_cache_branch') session.bindData(name, 'bool', new Uint8Array(1), [1])
    else {
      const sizes = dims.map((size, i) => (i === 0 ? 1 : Number(size) || (i === 2 ? 0 : 16)))
      // Window-sized caches are zeros from the start.
      if (graph.nodes.some((each) => each.inputs.includes(name) && each.ints.sliding_window_cache === 1))
        sizes[2] = 64
      const tensor = session.allocate(type, sizes)
      new Uint8Array(tensor.data.buffer, tensor.data.byteOffset, tensor.data.byteLength).fill(0)
      session.bindInput(name, tensor)
    }
  }
  const keepInput = session.inputs.find((info) => info.name === NUM_LOGITS_TO_KEEP)
  const all: Rows[] = []
  for (const keep of keeps) {
    if (keepInput !== undefined) session.bindData(NUM_LOGITS_TO_KEEP, 'int64', integers([keep]), [])
    session.bindOutput('logits')
    await session.run()
    const logits = session.takeOutput('logits')
    all.push({ dims: logits.dims, numbers: Float32Array.from(logits.data as Float32Array) })
    logits.dispose()
  }
  await session.dispose()
  return all
}

/** Compares 1, 2 and all rows with those of the graph as it is. */
async function expectSameRows(path: string): Promise<void> {
  const original = readGraphFile(path)
  const patched = keepLastRows(original)!
  expect(patched).toBeDefined()
  const [all] = (await logitsOf(original, [0])) as [Rows]
  const width = all.dims.at(-1)!
  const keeps = [1, 2, 0]
  const cut = await logitsOf(patched, keeps)
  for (const [i, keep] of keeps.entries()) {
    const { dims, numbers } = cut[i]!
    const rows = Math.min(keep || IDS.length, all.dims[1]!)
    expect(dims).toEqual([1, rows, width])
    const expected = all.numbers.subarray(all.numbers.length - rows * width)
    // Half-precision logits are compared by their bits, which are numbers here: a step is 1.
    const largest = expected.reduce((a, b) => Math.max(a, Math.abs(b)), 0)
    const apart = numbers.reduce((most, number, i) => Math.max(most, Math.abs(number - expected[i]!)), 0)
    expect(apart).toBeLessThanOrEqual(1e-5 * largest)
  }
}

/** x = table[input_ids], then `head` from x to logits. */
function withHead(...head: Uint8Array[]): string {
  const weights = Float32Array.from({ length: 8 * 6 }, (_, i) => Math.sin(i + 1))
  return graphFile(
    model([
      value('input', 'input_ids', ['batch', 'tokens'], INT64),
      initializer('table', [6, 8], weights),
      node('Gather', ['table', 'input_ids'], ['x']),
      initializer('w', [8, 6], weights),
      initializer('cap', [], Float32Array.of(3)),
      initializer('bias', [6], Float32Array.from([1, -2, 3, -4, 5, -6])),
      initializer('down', [8, 2], weights.subarray(0, 16)),
      initializer('up', [2, 6], weights.subarray(16, 28)),
      initializer('by row', [1, 5, 1], Float32Array.of(1, 2, 3, 4, 5)),
      value('output', 'logits', ['batch', 'tokens', 6]),
      ...head,
    ]),
  )
}

describe('heads that are cut', () => {
  const heads: readonly [string, string][] = [
    ['a matmul', withHead(node('MatMul', ['x', 'w'], ['logits']))],
    [
      'a transposed embedding',
      withHead(node('Transpose', ['table'], ['t']), node('MatMul', ['x', 't'], ['logits'])),
    ],
    ['a bias', withHead(node('MatMul', ['x', 'w'], ['y']), node('Add', ['bias', 'y'], ['logits']))],
    [
      'a soft cap',
      withHead(
        node('MatMul', ['x', 'w'], ['y']),
        node('Div', ['y', 'cap'], ['d']),
        node('Tanh', ['d'], ['t']),
        node('Mul', ['t', 'cap'], ['logits']),
      ),
    ],
    [
      'a cast',
      withHead(
        node('MatMul', ['x', 'w'], ['y']),
        node('Cast', ['y'], ['logits'], { attributes: [intAttribute('to', FLOAT)] }),
      ),
    ],
    [
      'dynamic int8',
      withHead(
        node('DynamicQuantizeLinear', ['x'], ['xq', 'xs', 'xz']),
        node('DynamicQuantizeLinear', ['w'], ['wq', 'ws', 'wz']),
        node('MatMulInteger', ['xq', 'wq', 'xz', 'wz'], ['yi']),
        node('Cast', ['yi'], ['yf'], { attributes: [intAttribute('to', FLOAT)] }),
        node('Mul', ['xs', 'ws'], ['s']),
        node('Mul', ['yf', 's'], ['logits']),
      ),
    ],
    [
      'a head with a low-rank change',
      withHead(
        node('MatMul', ['x', 'w'], ['y']),
        node('MatMul', ['x', 'down'], ['d']),
        node('MatMul', ['d', 'up'], ['u']),
        node('Mul', ['u', 'cap'], ['scaled']),
        node('Add', ['scaled', 'y'], ['logits']),
      ),
    ],
    ['a decoder with states', graphFile(toyDecoder({ layers: ['gqa', 'concat'], positionRows: 1 }))],
    ['two graphs in an If', graphFile(toyMerged())],
  ]
  test.each(heads)('%s', async (_, path) => {
    await expectSameRows(path)
  })
})

describe('heads that are left alone', () => {
  const heads: readonly [string, Uint8Array[]][] = [
    [
      'rows that were made flat',
      [
        node('Flatten', ['x'], ['flat'], { attributes: [intAttribute('axis', 2)] }),
        node('MatMul', ['flat', 'w'], ['y']),
        node('Unsqueeze', ['y', 'axis'], ['logits']),
      ],
    ],
    ['a matmul of rows with rows', [node('MatMul', ['x', 'x'], ['logits'])]],
    ['rows that are mixed', [node('MatMul', ['x', 'w'], ['y']), node('CumSum', ['y', 'axis'], ['logits'])]],
    [
      'rows that change places',
      [
        node('MatMul', ['x', 'w'], ['y']),
        node('Transpose', ['y'], ['logits'], { attributes: [intsAttribute('perm', [1, 0, 2])] }),
      ],
    ],
    ['no logits', [node('MatMul', ['x', 'w'], ['scores'])]],
    [
      'rows less their mean',
      [
        node('MatMul', ['x', 'w'], ['y']),
        node('ReduceMean', ['y'], ['mean'], { attributes: [intsAttribute('axes', [1])] }),
        node('Sub', ['y', 'mean'], ['logits']),
      ],
    ],
    [
      'a constant for each row',
      [node('MatMul', ['x', 'w'], ['y']), node('Mul', ['y', 'by row'], ['logits'])],
    ],
    [
      'a number for each row',
      [
        node('MatMul', ['x', 'w'], ['y']),
        node('ReduceMax', ['x'], ['most'], { attributes: [intsAttribute('axes', [2])] }),
        node('Add', ['most', 'y'], ['logits']),
      ],
    ],
    [
      'a zero point for each row',
      [
        node('DynamicQuantizeLinear', ['w'], ['wq', 'ws', 'wz']),
        node('MatMulInteger', ['ids', 'wq', 'zero points'], ['yi']),
        node('Cast', ['yi'], ['logits'], { attributes: [intAttribute('to', FLOAT)] }),
      ],
    ],
    [
      'rows that are columns',
      [
        node('FusedMatMul', ['x', 'w'], ['logits'], {
          domain: 'com.microsoft',
          attributes: [intAttribute('transA', 1)],
        }),
      ],
    ],
    [
      'an attribute whose name stands last',
      [
        node('FusedMatMul', ['x', 'w'], ['logits'], {
          domain: 'com.microsoft',
          attributes: [bytesOfField(5, [varintField(3, 1), varintField(20, 2), bytesOfField(1, 'transA')])],
        }),
      ],
    ],
    [
      'a weight of three axes',
      [initializer('w3', [1, 8, 6], new Float32Array(48)), node('MatMul', ['x', 'w3'], ['logits'])],
    ],
    [
      'a head that somebody else reads',
      [
        node('MatMul', ['x', 'w'], ['y']),
        node('Identity', ['y'], ['present.state']),
        value('output', 'present.state', ['batch', 'tokens', 6]),
        node('Add', ['y', 'bias'], ['logits']),
      ],
    ],
    [
      'an operator of the same name from elsewhere',
      [node('MatMul', ['x', 'w'], ['logits'], { domain: 'elsewhere' })],
    ],
  ]
  test.each(heads)('%s', (_, head) => {
    expect(keepLastRows(readGraphFile(withHead(...head)))).toBeUndefined()
  })

  test('whole rows are of the whole run, so the prompt goes in at once', () => {
    const mixed = [
      node('MatMul', ['x', 'w'], ['y']),
      node('ReduceMean', ['y'], ['mean'], { attributes: [intsAttribute('axes', [1])] }),
      node('Sub', ['y', 'mean'], ['logits']),
    ]
    expect(mixesRows(readGraphFile(withHead(...mixed)), 'logits')).toBe(true)
    const plain = [
      node('MatMul', ['x', 'w'], ['y']),
      node('LogSoftmax', ['y'], ['logits'], { attributes: [intAttribute('axis', -1)] }),
    ]
    expect(mixesRows(readGraphFile(withHead(...plain)), 'logits')).toBe(false)
  })

  test('a graph that has the input already', () => {
    const graph = readGraphFile(
      withHead(node('MatMul', ['x', 'w'], ['logits']), value('input', NUM_LOGITS_TO_KEEP, [], INT64)),
    )
    expect(keepLastRows(graph)).toBe(graph)
  })
})

describe('the golden files', () => {
  if (!hasGoldenModels) test.skip(`all ${NEEDS_DATA}`)
  // The first of each family, and every third after it; all with SPOUT_EVERY_FILE=1.
  const all = goldenFiles()
  const files = all.filter(({ family }, i) => {
    const place = i - all.findIndex((file) => file.family === family)
    return process.env.SPOUT_EVERY_FILE === '1' || place % 3 === 0
  })
  test.each(files)('$family $file', async ({ path }) => {
    const graph = readGraphFile(path)
    if (graph.inputs.includes(NUM_LOGITS_TO_KEEP)) expect(keepLastRows(graph)).toBe(graph)
    else await expectSameRows(path)
  })
})
