import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { withOwnOperators } from '../../../src/graph-passes/own-graph.ts'
import { withOwnMatmuls } from '../../../src/graph-passes/own-matmuls.ts'
import { operatorName, panelBytes, panelsOf } from '../../../src/kernels/matmul/matmul-shape.ts'
import { OWN_DOMAIN } from '../../../src/onnx-file/domains.ts'
import { encodeGraph, type Graph } from '../../../src/onnx-file/graph-file.ts'
import { runOwnGraph, WAYS, type Way } from '../../support/kernel-ways.ts'
import { graphOf, opTypes, rowsOf } from '../../support/matmul-graphs.ts'
import { byteTensor, type MatmulShape, matmulNode, matmulWeights } from '../../support/quantized-matmuls.ts'
import { type Feed, runGraph } from '../../support/run-graph.ts'
import { graphAttribute, node, value } from '../../support/tiny-graphs.ts'

interface Mlp extends MatmulShape {
  /** Of the matmul that is alone. */
  readonly up?: Partial<MatmulShape>
  readonly upRows?: string
  readonly activation?: string
  /** Which way round the factors of the two multiplications stand. */
  readonly swapped?: readonly [boolean, boolean]
}

const inOrder = (isSwapped: boolean, a: string, b: string): string[] => (isSwapped ? [b, a] : [a, b])

const mlpParts = ({
  up,
  upRows = 'rows',
  activation = 'Sigmoid',
  swapped = [false, false],
  ...gate
}: Mlp) => [
  matmulNode('rows', 'w.gate', 'gate', gate),
  node(activation, ['gate'], ['share']),
  matmulNode(upRows, 'w.up', 'up', { ...gate, ...up }),
  node('Mul', inOrder(swapped[0], 'gate', 'share'), ['active']),
  node('Mul', inOrder(swapped[1], 'active', 'up'), ['h']),
  ...matmulWeights('w.gate', gate),
  ...matmulWeights('w.up', { ...gate, ...up }),
  value('input', 'rows', ['batch', 'count', gate.k]),
]

const mlp = (shape: Mlp, ...more: Uint8Array[]): Graph =>
  graphOf(...mlpParts(shape), value('output', 'h', ['batch', 'count', shape.n]), ...more)

const ownRunner =
  (way: Way) =>
  (graph: Graph, feeds: Record<string, Feed>, { threads = 1, isStacked = false } = {}) =>
    runOwnGraph(way, withOwnOperators(graph, { isStacked }), feeds, { threads })

const runRuntime = (graph: Graph, feeds: Record<string, Feed>) =>
  runGraph({ bytes: encodeGraph(graph), weightsFolder: graph.weightsFolder }, feeds)

const SHAPE: Mlp = { k: 64, n: 48, level: 4 }
const ownTypes = (graph: Graph, isStacked = false): string[] =>
  opTypes(withOwnMatmuls(graph, { isStacked }).graph)

describe('which graphs', () => {
  const booleans = fc.boolean()

  test('the factors may stand in any order', () => {
    fc.assert(
      fc.property(fc.tuple(booleans, booleans), booleans, (swapped, isStacked) => {
        expect(ownTypes(mlp({ ...SHAPE, swapped }), isStacked)).toEqual(['SwiGLU4_32_64x48'])
      }),
    )
  })

  test('the weights are one input instead of initializers', () => {
    const { graph, weights } = withOwnMatmuls(mlp({ ...SHAPE, hasHalfScales: true }))
    expect(graph.inputs).toEqual(['rows', 'spout.packed.h'])
    expect(graph.outputs).toEqual(['h'])
    expect([...graph.initializers.keys()]).toEqual([])
    expect(weights.map(({ shape }) => shape)).toEqual([
      { k: 64, n: 48, bits: 4, scaleBytes: 2, isSwiglu: true },
    ])
    expect(weights[0]!.parts.length).toBe(2)
  })

  const left = ['Matmul4_32_64x48', 'Sigmoid', 'Matmul4_32_64x48', 'Mul', 'Mul']
  const body = [node('Identity', ['up'], ['inside']), value('output', 'inside', ['batch', 'count', 48])]
  const branches = {
    attributes: [graphAttribute('then_branch', body), graphAttribute('else_branch', body)],
  }
  const others: Record<string, Uint8Array[]> = {
    ...Object.fromEntries(
      ['gate', 'share', 'up', 'active'].flatMap((name) => [
        [`${name} is an output of the graph`, [value('output', name, ['batch', 'count', 48])]],
        [`${name} has another reader`, [node('Relu', [name], ['z'])]],
      ]),
    ),
    'a branch reads up': [node('If', ['condition'], ['z'], branches)],
  }
  test.each(Object.entries(others))('not where %s', (_, more) => {
    expect(ownTypes(mlp(SHAPE, ...more)).slice(0, 5)).toEqual(left)
  })

  const kinds: Record<string, readonly [Partial<Mlp>, string[]]> = {
    'of another activation': [{ activation: 'Tanh' }, ['Matmul4_32_64x96', 'Split', 'Tanh', 'Mul', 'Mul']],
    'of other rows': [{ upRows: 'others' }, left],
    'of one column for all': [{ up: { n: 16 } }, ['Matmul4_32_64x64', 'Split', 'Sigmoid', 'Mul', 'Mul']],
    'of other bits': [{ up: { bits: 8 } }, ['Matmul4_32_64x48', 'Sigmoid', 'Matmul8_32_64x48', 'Mul', 'Mul']],
    'with a matmul that is not ours': [
      { up: { level: 0 } },
      ['Matmul4_32_64x48', 'Sigmoid', 'MatMulNBits', 'Mul', 'Mul'],
    ],
  }
  test.each(Object.entries(kinds))('not %s', (_, [shape, expected]) => {
    expect(ownTypes(mlp({ ...SHAPE, ...shape }), true)).toEqual(expected)
  })

  test('matmuls of the same rows beside a pair of gate and up are stacked without it', () => {
    const beside = { k: 64, n: 16, level: 4 }
    const more = ['a', 'b'].flatMap((name) => [
      matmulNode('rows', `w.${name}`, name, beside),
      ...matmulWeights(`w.${name}`, beside),
      node('Relu', [name], [`${name}.out`]),
    ])
    const types = ownTypes(mlp(SHAPE, ...more), true)
    expect(types).toEqual(['SwiGLU4_32_64x48', 'Matmul4_32_64x32', 'Split', 'Relu', 'Relu'])
  })
})

describe.each(WAYS)('numbers, $name', (way) => {
  const runOwn = ownRunner(way)
  const KINDS: Record<string, Partial<Mlp>> = {
    '4 bits': {},
    '4 bits, scales of fp16': { hasHalfScales: true },
    '4 bits, scales of fp16 for one of them': { hasHalfScales: true, up: { hasHalfScales: false } },
    '8 bits': { bits: 8 },
    '4 bits, zero points': { hasZeroPoints: true },
    '4 bits, zero points of one of them': { hasZeroPoints: true, up: { hasZeroPoints: false } },
    '8 bits, scales of fp16': { bits: 8, hasHalfScales: true },
  }
  const SIZES = [[64, 16], [64, 48], ...(way.isNative ? ([[192, 80]] as const) : [])] as const

  for (const [kind, shape] of Object.entries(KINDS)) {
    const isPlain = kind === '4 bits' || kind === '8 bits, scales of fp16'
    const sizes = way.isNative && isPlain ? [...SIZES, [576, 1536] as const] : SIZES
    test.each(sizes)(`${kind}, %d × %d: as the runtime's own nodes`, async (k, n) => {
      const graph = mlp({ k, n, level: 4, ...shape })
      for (const count of way.isNative && isPlain ? [1, 2, 8, 9, 35] : [1, 9]) {
        const feeds = { rows: rowsOf(count, k) }
        const [{ h: before }, { h }] = [await runRuntime(graph, feeds), await runOwn(graph, feeds)]
        const size = Math.max(...before!.map(Math.abs))
        const farthest = Math.max(...before!.map((number, i) => Math.abs(number - h![i]!)))
        expect(farthest / size, `${count} rows`).toBeLessThan(1e-5)
      }
    })
  }

  test.each([64, 256])('a scale for %d rows is one for each 32 of them', async (block) => {
    const feeds = { rows: rowsOf(9, 512) }
    const scaleOf = (i: number): number => 1 / (100 + (i % 11))
    const whole = mlp({ ...SHAPE, k: 512, block, scaleOf })
    const parts = mlp({ ...SHAPE, k: 512, scaleOf: (i) => scaleOf(Math.floor((i * 32) / block)) })
    expect(await runOwn(whole, feeds)).toEqual(await runOwn(parts, feeds))
  })

  /** What the matmuls are apart: outputs of the graph are not fused. */
  async function apart(shape: Mlp, feeds: Record<string, Feed>) {
    const names = ['gate', 'up'].map((name) => value('output', name, ['batch', 'count', shape.n]))
    const { gate, up } = await runOwn(mlp(shape, ...names), feeds)
    return gate!.map((number, i) => [number, up![i]!] as const)
  }

  test.each([1e-4, 1e-2, 1, 100, 1e30])('to the last digits of fp32, with scales of %d', async (size) => {
    const shape: Mlp = {
      k: 64,
      n: 48,
      level: 4,
      scaleOf: (i) => (1 + (i % 7)) * size,
      up: { scaleOf: () => 1 },
    }
    for (const count of [1, 11]) {
      const feeds = { rows: rowsOf(count) }
      const pairs = await apart(shape, feeds)
      const { h } = await runOwn(mlp(shape), feeds)
      for (const [i, [gate, up]] of pairs.entries()) {
        const exact = (gate / (1 + Math.exp(-gate))) * up
        const found = h![i]!
        expect(Math.abs(found - exact), `${gate}, ${up}: ${found}, ${exact}`).toBeLessThan(
          Math.abs(exact) * 4e-7 + 1e-33,
        )
      }
    }
  })

  test('a row is the same in any company, with any number of threads, stacked or not', async () => {
    const dims = fc.record({
      k: fc.integer({ min: 1, max: 8 }).map((blocks) => 32 * blocks),
      n: fc.integer({ min: 1, max: 24 }).map((panels) => 16 * panels),
      count: fc.integer({ min: 1, max: 20 }),
      bits: fc.constantFrom(4, 8),
      hasHalfScales: fc.boolean(),
    })
    await fc.assert(
      fc.asyncProperty(dims, async ({ count, ...shape }) => {
        const graph = mlp({ ...shape, level: 4 })
        const rows = rowsOf(count, shape.k)
        const { h } = await runOwn(graph, { rows })
        for (const threads of way.isNative ? [2, 3] : [])
          expect(await runOwn(graph, { rows }, { threads })).toEqual({ h })
        expect(await runOwn(graph, { rows }, { isStacked: true })).toEqual({ h })
        for (const row of new Set([0, count - 1])) {
          const data = rows.data.slice(row * shape.k, (row + 1) * shape.k)
          const alone = { ...rows, dims: [1, 1, shape.k], data } as Feed
          expect(await runOwn(graph, { rows: alone })).toEqual({
            h: h!.slice(row * shape.n, (row + 1) * shape.n),
          })
        }
      }),
      { numRuns: way.isNative ? 30 : 6 },
    )
  })

  test('what is no finite number stays in its row, and no rows are none', async () => {
    const graph = mlp(SHAPE)
    const rows = rowsOf(4)
    rows.data.fill(0 as never, 0, 64)
    ;(rows.data as Float32Array)[64 + 5] = Number.NaN
    ;(rows.data as Float32Array)[128 + 40] = Number.NEGATIVE_INFINITY
    const { h } = await runOwn(graph, { rows })
    const kindOf = (number: number): string => (number === 0 ? 'zero' : String(Number.isFinite(number)))
    const kinds = [0, 1, 2, 3].map((row) => [...new Set(h!.slice(48 * row, 48 * (row + 1)).map(kindOf))])
    expect(kinds).toEqual([['zero'], ['false'], ['false'], ['true']])
    expect(await runOwn(graph, { rows: { ...rowsOf(0), dims: [1, 0, 64] } })).toEqual({ h: [] })
  })

  test('a file that names the operator itself gets nothing it has not', async () => {
    const own = withOwnMatmuls(mlp(SHAPE)).weights[0]!.shape
    for (const dims of [
      [panelsOf(own) / 2, panelBytes(own)],
      [panelsOf(own), panelBytes(own) - 1],
    ]) {
      const graph = mlp(
        SHAPE,
        node(operatorName(own), ['rows', 'short'], ['z', 'rounded'], { domain: OWN_DOMAIN }),
        byteTensor('short', dims),
        value('output', 'z', [1, 'count', 48]),
      )
      await expect(runOwn(graph, { rows: rowsOf(3) })).rejects.toThrow('has another shape')
    }
  })
})
