import { readdirSync, truncateSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { withOwnOperators } from '../../../src/graph-passes/own-graph.ts'
import { hasOwnMatmuls, withOwnMatmuls } from '../../../src/graph-passes/own-matmuls.ts'
import {
  type MatmulShape as OwnShape,
  operatorName,
  packedBytes,
  panelBytes,
  panelsOf,
} from '../../../src/kernels/matmul/matmul-shape.ts'
import { OWN_DOMAIN } from '../../../src/onnx-file/domains.ts'
import { encodeGraph, type Graph } from '../../../src/onnx-file/graph-file.ts'
import { packWeights } from '../../../src/onnx-runtime/packed-weights.ts'
import { runOwnGraph, WAYS, type Way } from '../../support/kernel-ways.ts'
import { graphOf, opTypes, rowsOf } from '../../support/matmul-graphs.ts'
import { byteTensor, type MatmulShape, matmulNode, matmulWeights } from '../../support/quantized-matmuls.ts'
import { type Feed, runGraph } from '../../support/run-graph.ts'
import { initializer, node, value } from '../../support/tiny-graphs.ts'

const graphWith = (shape: MatmulShape): Graph =>
  graphOf(
    matmulNode('rows', 'w', 'y', shape),
    ...matmulWeights('w', shape),
    value('input', 'rows', ['batch', 'count', 'k']),
    value('output', 'y', ['batch', 'count', shape.n]),
  )

interface RunOptions {
  readonly threads?: number
  readonly isStacked?: boolean
}

const ownRunner =
  (way: Way) =>
  (graph: Graph, feeds: Record<string, Feed>, { threads = 1, isStacked = false }: RunOptions = {}) =>
    runOwnGraph(way, withOwnOperators(graph, { isStacked }), feeds, { threads })

const runRuntime = ({ weightsFolder, ...graph }: Graph, feeds: Record<string, Feed>, threads = 1) =>
  runGraph({ bytes: encodeGraph({ ...graph, weightsFolder } as Graph), weightsFolder }, feeds, { threads })

/** The largest difference, as a share of the largest number. */
function farthest(a: readonly number[], b: readonly number[]): number {
  expect(a.length).toBe(b.length)
  const size = a.reduce((most, number) => Math.max(most, Math.abs(number)), 0)
  return a.reduce((most, number, i) => Math.max(most, Math.abs(number - b[i]!) / size), 0)
}

describe('graphs', () => {
  const kinds: Record<string, MatmulShape> = {
    'fp32 matmuls': { k: 64, n: 32, level: 0 },
    '8 bits in fp32': { k: 64, n: 32, bits: 8, level: 0 },
    'columns that fill no panel': { k: 64, n: 24, level: 4 },
    'scales for 16 rows': { k: 64, n: 32, level: 4, block: 16 },
    'another domain': { k: 64, n: 32, level: 4, domain: 'elsewhere' },
  }
  test.each(Object.entries(kinds))('%s are left as they are', (_, shape) => {
    const graph = graphWith(shape)
    expect(hasOwnMatmuls(graph)).toBe(false)
    expect(withOwnMatmuls(graph)).toEqual({ graph, weights: [] })
  })

  const short: Record<string, (shape: MatmulShape) => Uint8Array[]> = {
    'fewer codes than they say': ({ n }) => [
      byteTensor('w', [n, 1, 16]),
      initializer('w.scales', [n, 2], new Float32Array(2 * n)),
    ],
    'fewer scales than they say': ({ n }) => [
      byteTensor('w', [n, 2, 16]),
      initializer('w.scales', [n, 1], new Float32Array(n)),
    ],
  }
  test.each(Object.entries(short))('%s are left as they are', (_, weights) => {
    const shape = { k: 64, n: 32, level: 4 }
    const graph = graphOf(
      matmulNode('rows', 'w', 'y', shape),
      ...weights(shape),
      value('input', 'rows', ['batch', 'count', 'k']),
      value('output', 'y', ['batch', 'count', shape.n]),
    )
    expect(hasOwnMatmuls(graph)).toBe(false)
    expect(withOwnMatmuls(graph)).toEqual({ graph, weights: [] })
  })

  test('weights are an input instead of initializers', () => {
    const graph = graphWith({ k: 64, n: 32, level: 4, hasHalfScales: true })
    expect(hasOwnMatmuls(graph)).toBe(true)
    const { graph: own, weights } = withOwnMatmuls(graph)
    expect(opTypes(own)).toEqual(['Matmul4_16_64x32'])
    expect(own.inputs).toEqual(['rows', 'spout.packed.y'])
    expect([...own.initializers.keys()]).toEqual([])
    expect(weights.map(({ shape }) => shape)).toEqual([{ k: 64, n: 32, bits: 4, scaleBytes: 2 }])
  })

  test('weights that something else reads stay', () => {
    const shape = { k: 64, n: 32, level: 4 }
    const graph = graphOf(
      matmulNode('rows', 'w', 'y', shape),
      node('Identity', ['w'], ['codes']),
      ...matmulWeights('w', shape),
      value('input', 'rows', [1, 'count', 64]),
      value('output', 'y', [1, 'count', 32]),
    )
    expect([...withOwnMatmuls(graph).graph.initializers.keys()]).toEqual(['w'])
  })
})

test('a file of weights that has shrunk is told', async () => {
  const { weights } = withOwnOperators(graphWith({ k: 256, n: 1024, level: 4 })).own!
  const { path } = weights[0]!.parts[0]!.codes as { path: string }
  truncateSync(path, 5000)
  const own = packWeights(weights)
  await expect(own.ready).rejects.toThrow('model weights: model.onnx ends too soon')
  await own.dispose()
})

describe.each(WAYS)('numbers, $name', (way) => {
  const runOwn = ownRunner(way)
  const SIZES = [[32, 16], [64, 64], [96, 80], ...(way.isNative ? ([[256, 112]] as const) : [])] as const
  const kinds: Record<string, Omit<MatmulShape, 'k' | 'n'>> = {
    '4 bits': {},
    '4 bits, scales of fp16': { hasHalfScales: true },
    '8 bits': { bits: 8 },
    '8 bits, scales of fp16': { bits: 8, hasHalfScales: true },
    '4 bits, zero points': { hasZeroPoints: true, hasHalfScales: true },
    '4 bits, zero points in a row': { hasZeroPoints: true, isFlat: true },
    '4 bits, a bias': { hasBias: true },
    '8 bits, zero points': { bits: 8, hasZeroPoints: true },
  }
  for (const [kind, shape] of Object.entries(kinds)) {
    const isPlain = kind === '4 bits' || kind === '8 bits'
    const sizes = way.isNative && isPlain ? [...SIZES, [576, 1536] as const] : SIZES
    test.each(sizes)(`${kind}, %d × %d: as the runtime's own matmul of the same level`, async (k, n) => {
      const graph = graphWith({ k, n, level: 4, ...shape })
      for (const count of way.isNative ? [1, ...(isPlain ? [2, 7, 8] : []), 9, 130] : [1, 7, 9]) {
        const feeds = { rows: rowsOf(count, k) }
        const [before, own] = [await runRuntime(graph, feeds), await runOwn(graph, feeds)]
        expect(farthest(before.y!, own.y!), `${count} rows`).toBeLessThan(3e-6)
      }
    })
  }

  test.each([64, 128, 256])('a scale for %d rows is one for each 32 of them', async (block) => {
    const feeds = { rows: rowsOf(9, 512) }
    for (const [bits, step] of [
      [4, 1 / 100],
      [4, 1 / 128],
      [8, 1 / 100],
    ] as const) {
      const shape = { k: 512, n: 48, level: 4, bits }
      const scaleOf = (i: number): number => (1 + (i % 11)) * step
      const whole = graphWith({ ...shape, block, scaleOf })
      const parts = graphWith({ ...shape, scaleOf: (i) => scaleOf(Math.floor((i * 32) / block)) })
      expect(await runOwn(whole, feeds)).toEqual(await runOwn(parts, feeds))
    }
  })

  test('a row is the same in any company, with any number of threads', async () => {
    const dims = fc.record({
      k: fc.integer({ min: 1, max: 12 }).map((blocks) => 32 * blocks),
      n: fc.integer({ min: 1, max: 40 }).map((panels) => 16 * panels),
      count: fc.integer({ min: 1, max: 40 }),
      bits: fc.constantFrom(4, 8),
      hasHalfScales: fc.boolean(),
    })
    await fc.assert(
      fc.asyncProperty(dims, async ({ count, ...shape }) => {
        const graph = graphWith({ ...shape, level: 4 })
        const rows = rowsOf(count, shape.k)
        const { y } = await runOwn(graph, { rows }, { threads: 1 })
        expect(await runOwn(graph, { rows }, { threads: 2 })).toEqual({ y })
        const last = { ...rows, dims: [1, 1, shape.k], data: rows.data.slice(-shape.k) } as Feed
        expect(await runOwn(graph, { rows: last })).toEqual({ y: y!.slice(-shape.n) })
      }),
      { numRuns: way.isNative ? 40 : 10 },
    )
  })

  test('rows in several sequences', async () => {
    const graph = graphWith({ k: 64, n: 32, level: 4 })
    const rows = rowsOf(6, 64)
    const { y } = await runOwn(graph, { rows })
    expect(await runOwn(graph, { rows: { ...rows, dims: [3, 2, 64] } })).toEqual({ y })
  })

  test('no rows', async () => {
    const graph = graphWith({ k: 64, n: 32, level: 4 })
    expect(await runOwn(graph, { rows: { ...rowsOf(0, 64), dims: [1, 0, 64] } })).toEqual({ y: [] })
  })

  test('rows of another size are refused', async () => {
    const graph = graphWith({ k: 64, n: 32, level: 4 })
    await expect(runOwn(graph, { rows: rowsOf(2, 32) })).rejects.toThrow(
      'an input of an operator of spout has another shape',
    )
  })

  test('a file that names our operators itself gets nothing it has not', async () => {
    const shape = { k: 64, n: 32, level: 4, hasHalfScales: true }
    const own: OwnShape = withOwnMatmuls(graphWith(shape)).weights[0]!.shape
    for (const dims of [[panelsOf(own), panelBytes(own) - 1], [1, panelBytes(own)], [packedBytes(own)]]) {
      const graph = graphOf(
        matmulNode('rows', 'w', 'y', shape),
        node(operatorName(own), ['rows', 'short'], ['z', 'rounded'], { domain: OWN_DOMAIN }),
        ...matmulWeights('w', shape),
        byteTensor('short', dims),
        value('input', 'rows', [1, 'count', 64]),
        value('output', 'y', [1, 'count', 32]),
        value('output', 'z', [1, 'count', 32]),
      )
      await expect(runOwn(graph, { rows: rowsOf(3, 64) })).rejects.toThrow('has another shape')
    }
  })

  test('zero is zero, and what is no finite number makes none', async () => {
    const graph = graphWith({ k: 64, n: 32, level: 4 })
    const rows = rowsOf(4, 64)
    rows.data.fill(0 as never, 0, 64)
    ;(rows.data as Float32Array)[64 + 5] = Number.NaN
    ;(rows.data as Float32Array)[128 + 40] = Number.NEGATIVE_INFINITY
    const { y } = await runOwn(graph, { rows })
    const kindOf = (row: number): string[] => [
      ...new Set(
        y!
          .slice(32 * row, 32 * row + 32)
          .map((number) => (number === 0 ? 'zero' : String(Number.isFinite(number)))),
      ),
    ]
    expect([0, 1, 2, 3].map(kindOf)).toEqual([['zero'], ['false'], ['false'], ['true']])
  })

  test('matmuls of the same rows in one, and the same to the last bit', async () => {
    const shapes = [32, 16, 48].map((n) => ({ k: 96, n, level: 4, hasHalfScales: n === 16 }))
    const graph = graphOf(
      ...shapes.flatMap((shape, i) => [
        matmulNode('rows', `w${i}`, `y${i}`, shape),
        ...matmulWeights(`w${i}`, shape),
        // What is an output of the graph is not stacked.
        node('Identity', [`y${i}`], [`z${i}`]),
        value('output', `z${i}`, [1, 'count', shape.n]),
      ]),
      value('input', 'rows', [1, 'count', 96]),
    )
    expect(opTypes(withOwnMatmuls(graph, { isStacked: true }).graph)).toEqual([
      'Matmul4_32_96x96',
      'Split',
      ...Array(3).fill('Identity'),
    ])
    for (const count of [1, 5, 17]) {
      const feeds = { rows: rowsOf(count, 96) }
      expect(await runOwn(graph, feeds, { isStacked: true })).toEqual(await runOwn(graph, feeds))
    }
  })
})

test('and the session of such a file is gone', async () => {
  const graph = graphWith({ k: 256, n: 1024, level: 4 })
  const { graph: own, ...rest } = withOwnOperators(graph)
  const { path } = rest.own!.weights[0]!.parts[0]!.codes as { path: string }
  truncateSync(path, 5000)
  const bytes = encodeGraph(own)
  const before = readdirSync('/proc/self/task').length
  for (let i = 0; i < 5; i++) {
    const run = runGraph(
      { bytes, weightsFolder: graph.weightsFolder, ...rest },
      { rows: rowsOf(1, 256) },
      // It comes to no run, so that the set need not be here.
      { threads: 2, isa: 'avx2' },
    )
    await expect(run).rejects.toThrow('model weights: model.onnx ends too soon')
  }
  expect(readdirSync('/proc/self/task').length).toBeLessThan(before + 5)
})
