/** A head in 8 bits is what ONNX Runtime's quantizer would make of it, and answers as the head it was. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { loadSession } from '../../src/backend/onnx/load-session.ts'
import { OnnxBackend } from '../../src/backend/onnx/onnx-backend.ts'
import { compareRows } from '../../src/backend/onnx/prepared/compare-rows.ts'
import { probe } from '../../src/backend/onnx/prepared/probe.ts'
import { quantizeSlices, sliceBytesOf } from '../../src/graph-passes/eight-bits.ts'
import { quantizeHead } from '../../src/graph-passes/quantize-head.ts'
import { loadModelConfig } from '../../src/model/model-config.ts'
import { encodeGraph, type Graph, readGraphFile } from '../../src/onnx-file/graph-file.ts'
import { openRuntime } from '../../src/onnx-runtime/open-runtime.ts'
import { loadTokenizer } from '../../src/tokenizer/load-tokenizer.ts'
import { folderWith, graphFile } from '../support/graph-file.ts'
import { GOLDEN, TINY_MODEL } from '../support/models.ts'
import { runGraph } from '../support/run-graph.ts'
import { INT64, initializer, intsAttribute, model, node, value } from '../support/tiny-graphs.ts'

const golden = JSON.parse(readFileSync(join(GOLDEN, 'eight-bits.json'), 'utf8'))
const bytesOf = (name: string): Uint8Array => Uint8Array.from(Buffer.from(golden[name], 'base64'))
const { k, n } = golden as { k: number; n: number }
const weight = new Float32Array(bytesOf('weight').buffer)
const EVERY = { share: 0, bytes: 0 }

function transposed(): Float32Array {
  return Float32Array.from({ length: k * n }, (_, i) => weight[(i % k) * n + Math.floor(i / k)]!)
}

test.each([
  ['[K, N]', weight, false],
  ['[N, K]', transposed(), true],
] as const)('a weight %s becomes what the runtime’s quantizer makes of it', (_, values, isTransposed) => {
  const layout = { k, n, isTransposed, isHalf: false }
  const size = sliceBytesOf(layout)
  const bytes = new Uint8Array(Float32Array.from(values).buffer)
  const slices = Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) =>
    bytes.slice(i * size, (i + 1) * size),
  )
  const { codes, scales } = quantizeSlices(slices, layout)!
  expect(Buffer.from(codes).equals(bytesOf('codes'))).toBe(true)
  // 0 and -0 are both the scale of a block of zeros.
  expect([...scales].map((scale) => scale + 0)).toEqual(
    [...new Float32Array(bytesOf('scales').buffer)].map((scale) => scale + 0),
  )
  expect(quantizeSlices(slices.slice(1), layout)).toBeUndefined()
})

/** x = rows[input_ids], then `head` from x to logits; a row for each of 3 ids. */
function withHead(...head: Uint8Array[]): Graph {
  const rows = Float32Array.from({ length: 3 * k }, (_, i) => Math.sin(i + 1))
  return readGraphFile(
    graphFile(
      model([
        value('input', 'input_ids', ['batch', 'tokens'], INT64),
        initializer('rows', [3, k], rows),
        node('Gather', ['rows', 'input_ids'], ['x']),
        value('output', 'logits', ['batch', 'tokens', n]),
        ...head,
      ]),
    ),
  )
}

async function logitsOf(graph: Graph): Promise<number[]> {
  const ids = { type: 'int64', dims: [1, 3], data: BigInt64Array.of(0n, 1n, 2n) } as const
  const source = { bytes: encodeGraph(graph), weightsFolder: graph.weightsFolder }
  return (await runGraph(source, { input_ids: ids })).logits!
}

const straight = [initializer('w', [k, n], weight), node('MatMul', ['x', 'w'], ['logits'])]
const swap = { attributes: [intsAttribute('perm', [1, 0])] }
const tied = [
  initializer('w', [n, k], transposed()),
  node('Transpose', ['w'], ['t'], swap),
  node('MatMul', ['x', 't'], ['logits']),
]

test.each([
  ['a weight of its own', straight],
  ['a transposed one', tied],
])('%s: the logits stay close, and the old weight goes', async (_, head) => {
  const graph = withHead(...head)
  const quantized = quantizeHead(graph, EVERY)
  expect(quantized.nodes.map(({ opType }) => opType)).toEqual(['Gather', 'MatMulNBits'])
  expect(quantized.initializers.has('w')).toBe(false)
  const [before, after] = [await logitsOf(graph), await logitsOf(quantized)]
  const largest = before.reduce((a, b) => Math.max(a, Math.abs(b)), 0)
  expect(after.every((logit, i) => Math.abs(logit - before[i]!) < 0.02 * largest)).toBe(true)
  expect(after).not.toEqual(before)
})

test('a weight that others read stays', () => {
  const head = [...tied, node('Gather', ['w', 'input_ids'], ['y']), value('output', 'y', ['b', 't', k])]
  expect(quantizeHead(withHead(...head), EVERY).initializers.has('w')).toBe(true)
})

test('a head that does not dominate, or not of whole blocks, is left alone', () => {
  const graph = withHead(...straight)
  expect(quantizeHead(graph)).toBe(graph)
  expect(quantizeHead(graph, { share: 0.99, bytes: 0 })).toBe(graph)
  const odd = withHead(initializer('w', [k - 1, n], weight.slice(n)), node('MatMul', ['x', 'w'], ['logits']))
  expect(quantizeHead(odd, EVERY)).toBe(odd)
})

test('the trained model answers as before', async () => {
  const runtime = await openRuntime('c-api')
  const config = loadModelConfig(TINY_MODEL.folder)
  const tokenizer = await loadTokenizer(TINY_MODEL.folder)
  const rowsOf = async (path: string, guide?: Float32Array[]): Promise<Float32Array[]> => {
    const loaded = await loadSession(runtime, path, config, { threads: 1, spinning: false })
    const rows = await probe(new OnnxBackend(loaded, tokenizer, config), guide)
    await loaded.dispose()
    return rows
  }
  const graph = readGraphFile(TINY_MODEL.fp32)
  const quantized = quantizeHead(graph, EVERY)
  expect(quantized).not.toBe(graph)
  const folder = folderWith({
    'model.onnx': readFileSync(TINY_MODEL.fp32),
    // In a model's file, names like those that our passes give are refused.
    'quantized.onnx': Buffer.from(
      Buffer.from(encodeGraph(quantized)).toString('latin1').replaceAll('spout.', 'other.'),
      'latin1',
    ),
  })
  const before = await rowsOf(TINY_MODEL.fp32)
  const after = await rowsOf(join(folder, 'quantized.onnx'), before)
  const compared = compareRows(before, after)
  expect(compared).toMatchObject({ ok: true, agreement: 1 })
  expect(compared.divergence).toBeGreaterThan(0)
})
