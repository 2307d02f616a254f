import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { withOwnNorms } from '../../../src/graph-passes/own-norm.ts'
import { rmsNorm, withResidual } from '../../../src/kernels/numerics/norm.ts'
import { distinctOperators } from '../../../src/kernels/operators.ts'
import { encodeGraph, type Graph } from '../../../src/onnx-file/graph-file.ts'
import { attentionRows, floatAttribute } from '../../support/attention-graphs.ts'
import { ALL_WAYS, runOwnGraph, WAYS, type Way } from '../../support/kernel-ways.ts'
import { graphOf, opTypes } from '../../support/matmul-graphs.ts'
import { type Feed, runGraph } from '../../support/run-graph.ts'
import { FLOAT, initializer, intAttribute, node, value } from '../../support/tiny-graphs.ts'

interface Norm {
  readonly n: number
  readonly hasResidual?: boolean
  readonly epsilon?: number
  readonly inputs?: readonly string[]
  readonly outputs?: readonly string[]
  readonly axis?: number
  readonly type?: number
  readonly parts?: readonly Uint8Array[]
}

const weightsOf = (n: number): Float32Array => Float32Array.from({ length: n }, (_, i) => 1 + Math.sin(i))

function normGraph({
  n,
  hasResidual = false,
  epsilon = 1e-5,
  parts = [],
  type = FLOAT,
  ...more
}: Norm): Graph {
  const { inputs = ['x', ...(hasResidual ? ['r'] : []), 'w'], axis = -1 } = more
  const { outputs = hasResidual ? ['y', '', '', 'sum'] : ['y'] } = more
  const attributes = [
    floatAttribute('epsilon', epsilon),
    ...(hasResidual ? [] : [intAttribute('axis', axis)]),
  ]
  const named = hasResidual ? 'SkipSimplifiedLayerNormalization' : 'SimplifiedLayerNormalization'
  const shape = ['batch', 'count', n]
  return graphOf(
    node(named, inputs, outputs, { attributes, ...(hasResidual ? { domain: 'com.microsoft' } : {}) }),
    value('input', 'x', shape, type),
    ...(hasResidual ? [value('input', 'r', shape, type)] : []),
    value('output', 'y', shape, type),
    ...(outputs.includes('sum') ? [value('output', 'sum', shape, type)] : []),
    initializer('w', [n], weightsOf(n)),
    ...parts,
  )
}

function feedsOf({ n, hasResidual = false }: Norm, count: number, seed = 1): Record<string, Feed> {
  const [x, r] = attentionRows([n, n], count, seed)
  const feed = (data: Float32Array): Feed => ({ type: 'float32', dims: [1, count, n], data })
  return { x: feed(x!), ...(hasResidual ? { r: feed(r!) } : {}) }
}

function runOwn(way: Way, graph: Graph, feeds: Record<string, Feed>, threads = 1) {
  const { graph: own, norms } = withOwnNorms(graph)
  const operators = distinctOperators({ norms })!
  return runOwnGraph(way, { graph: own, own: { operators, weights: [] } }, feeds, { threads })
}

describe('graphs', () => {
  const others: Record<string, Norm> = {
    'a bias': { n: 32, hasResidual: true, inputs: ['x', 'r', 'w', 'w'] },
    'numbers that fill no vector': { n: 24 },
    'another axis': { n: 32, axis: 1 },
    'the root of the mean, which somebody takes': {
      n: 32,
      outputs: ['y', 'root'],
      parts: [node('Identity', ['root'], ['z'])],
    },
    'weights that are no constant': { n: 32, inputs: ['x', 'x'] },
  }
  test.each(Object.entries(others))('%s: left as it is', (_, shape) => {
    const graph = normGraph(shape)
    expect(withOwnNorms(graph)).toEqual({ graph, norms: [] })
  })

  test('one that we compute becomes our own', () => {
    const plain = withOwnNorms(normGraph({ n: 32, epsilon: 0.5 }))
    expect(plain.norms).toEqual([{ n: 32, epsilon: 0.5, hasResidual: false }])
    expect(opTypes(plain.graph)).toEqual(['Norm_32_3f000000'])
    const residual = withOwnNorms(normGraph({ n: 48, epsilon: 0.5, hasResidual: true, outputs: ['y'] }))
    expect(residual.graph.nodes[0]).toMatchObject({
      opType: 'Norm_residual_48_3f000000',
      inputs: ['x', 'r', 'w'],
      outputs: ['y', 'spout.sum.y'],
    })
  })
})

describe.each(WAYS)('numbers, $name', (way) => {
  test.each([false, true])('are those of ONNX Runtime; with a residual: %s', async (hasResidual) => {
    for (const n of [16, 80, 576]) {
      for (const count of [1, 8, 9, 25]) {
        const shape = { n, hasResidual }
        const graph = normGraph(shape)
        const feeds = feedsOf(shape, count)
        const { weightsFolder } = graph
        const expected = await runGraph({ bytes: encodeGraph(graph), weightsFolder }, feeds)
        const found = await runOwn(way, graph, feeds)
        expect(Object.keys(found)).toEqual(Object.keys(expected))
        for (const [name, numbers] of Object.entries(expected)) {
          const apart = numbers.map(
            (number, i) => Math.abs(number - found[name]![i]!) / Math.max(1, Math.abs(number)),
          )
          expect(apart.every((each) => each < 1e-6)).toBe(true)
        }
      }
    }
  })

  test('no rows are none, and what is no number stays in its row', async () => {
    const shape = { n: 32 }
    expect(await runOwn(way, normGraph(shape), feedsOf(shape, 0))).toEqual({ y: [] })
    const feeds = feedsOf(shape, 3)
    ;(feeds.x!.data as Float32Array)[40] = Number.NaN
    const { y } = await runOwn(way, normGraph(shape), feeds)
    expect([0, 1, 2].map((row) => Number.isNaN(y![32 * row]!))).toEqual([false, true, false])
  })

  test('rows of another size are refused, and fewer rows to add', async () => {
    const graph = normGraph({ n: 32, hasResidual: true })
    const feeds = feedsOf({ n: 32, hasResidual: true }, 2)
    const short = feedsOf({ n: 32, hasResidual: true }, 1)
    await expect(runOwn(way, graph, { ...feeds, r: short.r! })).rejects.toThrow('has another shape')
    await expect(runOwn(way, graph, feedsOf({ n: 16, hasResidual: true }, 2))).rejects.toThrow()
  })
})

test('every set equals the definition to the last bit', async () => {
  const shapes = fc.record({
    n: fc.integer({ min: 1, max: 10 }).map((vectors) => 16 * vectors),
    count: fc.integer({ min: 1, max: 20 }),
    hasResidual: fc.boolean(),
    epsilon: fc.constantFrom(1e-6, 1e-5, 0.1),
    seed: fc.integer({ min: 1, max: 1000 }),
  })
  await fc.assert(
    fc.asyncProperty(shapes, async ({ count, seed, ...shape }) => {
      const feeds = feedsOf(shape, count, seed)
      const expected: { y: number[]; sum: number[] } = { y: [], sum: [] }
      for (let row = 0; row < count; row++) {
        const [x, r] = [feeds.x, feeds.r].map((feed) => {
          return feed && (feed.data as Float32Array).subarray(row * shape.n, (row + 1) * shape.n)
        })
        const sum = r === undefined ? x! : withResidual(x!, r)
        expected.sum.push(...sum)
        expected.y.push(...rmsNorm(sum, weightsOf(shape.n), shape.epsilon))
      }
      for (const way of ALL_WAYS) {
        const { y, sum } = await runOwn(way, normGraph(shape), feeds, 2)
        expect(y, way.name).toEqual(expected.y)
        if (shape.hasResidual) expect(sum, way.name).toEqual(expected.sum)
      }
    }),
    { numRuns: 15 },
  )
})
