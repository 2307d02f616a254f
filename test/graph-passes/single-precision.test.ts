/** Graphs of fp16 around 4-bit matmuls, as ONNX Runtime's converter makes them, computed in fp32 by kernels of ours. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { loadSession } from '../../src/backend/onnx/load-session.ts'
import { OnnxBackend } from '../../src/backend/onnx/onnx-backend.ts'
import { inSinglePrecision } from '../../src/graph-passes/single-precision.ts'
import { kernelChoice } from '../../src/kernels/isa.ts'
import { fromHalf } from '../../src/kernels/numerics/fp32.ts'
import { loadModelConfig } from '../../src/model/model-config.ts'
import { FLOAT16 } from '../../src/onnx-file/fields.ts'
import { encodeGraph, type Graph, readGraphFile } from '../../src/onnx-file/graph-file.ts'
import { inputShapes } from '../../src/onnx-file/input-shapes.ts'
import { openRuntime } from '../../src/onnx-runtime/open-runtime.ts'
import { folderWith, graphFile } from '../support/graph-file.ts'
import { CHAT_MODEL, GOLDEN } from '../support/models.ts'
import { noTokenizer } from '../support/open-onnx.ts'
import { matmulNode, matmulWeights } from '../support/quantized-matmuls.ts'
import { runGraph } from '../support/run-graph.ts'
import {
  BOOL,
  bytesOfField,
  graphAttribute,
  halves,
  INT64,
  intAttribute,
  model,
  node,
  tensor,
  value,
} from '../support/tiny-graphs.ts'

const golden = JSON.parse(readFileSync(join(GOLDEN, 'halves/golden.json'), 'utf8')) as {
  ids: number[]
  logits: Record<'all' | 'keep-io' | 'in-int32', number[]>
}
const config = loadModelConfig(CHAT_MODEL.folder)

function fileOf(name: string): string {
  const folder = folderWith({})
  mkdirSync(join(folder, 'onnx'))
  const path = join(folder, 'onnx/model_q4f16.onnx')
  writeFileSync(path, gunzipSync(readFileSync(join(GOLDEN, `halves/${name}.onnx.gz`))))
  return path
}

async function open(path: string, options: { precise?: boolean } = {}) {
  const runtime = await openRuntime('c-api')
  const loaded = await loadSession(runtime, path, config, { threads: 1, spinning: false, ...options })
  return { loaded, backend: new OnnxBackend(loaded, noTokenizer, config) }
}

async function lastLogits(backend: OnnxBackend): Promise<number[]> {
  const cache = backend.createCache()
  const { row } = await backend.forward(Int32Array.from(golden.ids), cache)
  const logits = [...row]
  cache.dispose()
  return logits
}

describe.each(['all', 'keep-io', 'in-int32'] as const)('%s', (name) => {
  test('nothing of it is fp16 any more', () => {
    const single = inSinglePrecision(readGraphFile(fileOf(name)))
    expect([...single.initializers.values()].map(({ type }) => type)).not.toContain(FLOAT16)
    expect([...inputShapes(single).values()].map(({ type }) => type)).not.toContain(FLOAT16)
    expect(single.nodes.filter(({ opType, ints }) => opType === 'Cast' && ints.to === FLOAT16)).toEqual([])
  })

  test('answers as the graph of fp16 does, but for what int8 and fp16 round', async () => {
    const { loaded, backend } = await open(fileOf(name))
    const logits = await lastLogits(backend)
    await backend.dispose()
    expect(loaded.runs.refused).toEqual([])
    expect(loaded.runs.kernels.matmul).toBe(kernelChoice().isa === undefined ? 'onnxruntime' : 'own')
    expect(correlation(logits, golden.logits[name])).toBeGreaterThan(0.999)
  })

  test('--precise leaves it as its file is', async () => {
    const { backend } = await open(fileOf(name), { precise: true })
    const logits = await lastLogits(backend)
    await backend.dispose()
    expect(largestDifference(logits, golden.logits[name])).toBeLessThan(0.02)
  })
})

test('the same weights in the 4-bit file of fp32 answer the same but for the rounding of fp16', async () => {
  const [half, single] = await Promise.all([
    open(fileOf('all')),
    open(join(CHAT_MODEL.folder, 'onnx/model_q4.onnx')),
  ])
  const [a, b] = [await lastLogits(half.backend), await lastLogits(single.backend)]
  await Promise.all([half.backend.dispose(), single.backend.dispose()])
  expect(correlation(a, b)).toBeGreaterThan(0.999)
})

describe('by hand', () => {
  const K = 64
  const N = 16

  /** Halves from 1 to 2. */
  const table = (rows: number): Uint8Array => {
    const values = Uint16Array.from({ length: rows * K }, (_, i) => 0x3c00 + (i % 1021))
    return bytesOfField(5, tensor('table', [rows, K], { type: FLOAT16, values }))
  }

  /** y = MatMulNBits(rows of a table), all of it fp16. */
  function parts(rows: number): Uint8Array[] {
    return [
      value('input', 'ids', ['rows'], INT64),
      value('output', 'y', ['rows', N], FLOAT16),
      table(rows),
      node('Gather', ['table', 'ids'], ['x']),
      ...matmulWeights('w', { k: K, n: N, isHalf: true }),
    ]
  }
  const read = (graph: readonly Uint8Array[]): Graph => readGraphFile(graphFile(model(graph)))
  const ids = { type: 'int64', dims: [3], data: BigInt64Array.of(0n, 2n, 1n) } as const

  async function both(graph: Graph): Promise<[number[], number[]]> {
    const feeds = { ids, condition: { type: 'bool', dims: [1], data: Uint8Array.of(1) } } as const
    const run = async (each: Graph) =>
      (await runGraph({ bytes: encodeGraph(each), weightsFolder: graph.weightsFolder }, feeds)).y!
    return [(await run(graph)).map(fromHalf), await run(inSinglePrecision(graph))]
  }

  test('a large table stays in halves, and only the rows that are read are converted', async () => {
    const graph = read([...parts(40_000), matmulNode('x', 'w', 'y', { k: K, n: N })])
    const single = inSinglePrecision(graph)
    expect(single.initializers.get('table')!.type).toBe(FLOAT16)
    const [as16, as32] = await both(graph)
    expect(largestDifference(as16, as32)).toBeLessThan(0.05)
  })

  test('a branch is converted as well', async () => {
    const branch = (name: string) =>
      graphAttribute(name, [
        halves('two', [], Float32Array.of(2)),
        node('Mul', ['product', 'two'], ['y']),
        value('output', 'y', ['rows', N], FLOAT16),
      ])
    const graph = read([
      ...parts(4),
      value('input', 'condition', [1], BOOL),
      matmulNode('x', 'w', 'product', { k: K, n: N }),
      node('If', ['condition'], ['y'], { attributes: [branch('then_branch'), branch('else_branch')] }),
    ])
    const [as16, as32] = await both(graph)
    expect(largestDifference(as16, as32)).toBeLessThan(0.05)
  })

  test('what is told its type in another way, or has no matmul of halves, stays as it is', () => {
    const random = node('RandomNormalLike', ['x'], ['noise'], {
      attributes: [intAttribute('dtype', FLOAT16)],
    })
    const told = read([...parts(4), matmulNode('x', 'w', 'y', { k: K, n: N }), random])
    expect(inSinglePrecision(told)).toBe(told)
    const plain = readGraphFile(join(CHAT_MODEL.folder, 'onnx/model_q4.onnx'))
    expect(inSinglePrecision(plain)).toBe(plain)
  })
})

function correlation(a: readonly number[], b: readonly number[]): number {
  const mean = (numbers: readonly number[]) => numbers.reduce((x, y) => x + y, 0) / numbers.length
  const [ma, mb] = [mean(a), mean(b)]
  const dot = (x: readonly number[], y: readonly number[], mx: number, my: number) =>
    x.reduce((sum, each, i) => sum + (each - mx) * (y[i]! - my), 0)
  return dot(a, b, ma, mb) / Math.sqrt(dot(a, a, ma, ma) * dot(b, b, mb, mb))
}

function largestDifference(a: readonly number[], b: readonly number[]): number {
  expect(a).toHaveLength(b.length)
  return Math.max(...a.map((each, i) => Math.abs(each - b[i]!)))
}
