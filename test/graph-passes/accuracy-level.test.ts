/** A graph whose 4-bit matmuls were changed is the graph that was written with int8 matmuls. */
import { expect, test } from 'vitest'
import { withInt8Matmuls } from '../../src/graph-passes/accuracy-level.ts'
import { encodeGraph, readGraphFile } from '../../src/onnx-file/graph-file.ts'
import { graphFile } from '../support/graph-file.ts'
import { matmulNode, matmulWeights } from '../support/quantized-matmuls.ts'
import { runGraph } from '../support/run-graph.ts'
import { BOOL, graphAttribute, model, node, value } from '../support/tiny-graphs.ts'

const K = 64
const N = 16

/** One matmul of [rows, 64]. */
function matmul(level: number | undefined, options: { bits?: number; domain?: string } = {}): Uint8Array {
  return matmulNode('x', 'w', 'y', { k: K, n: N, level, ...options })
}

const x = value('input', 'x', ['rows', K])
const y = value('output', 'y', ['rows', N])
const whole = (nodes: readonly Uint8Array[], bits = 4) =>
  model([x, y, ...nodes, ...matmulWeights('w', { k: K, n: N, bits })])

async function run(bytes: Uint8Array): Promise<number[]> {
  const rows = Float32Array.from({ length: 3 * K }, (_, i) => Math.sin(i * 1.7))
  const found = await runGraph(
    { bytes },
    {
      x: { type: 'float32', dims: [3, K], data: rows },
      condition: { type: 'bool', dims: [1], data: Uint8Array.of(1) },
    },
  )
  return found.y!
}

const changed = (bytes: Uint8Array) => encodeGraph(withInt8Matmuls(readGraphFile(graphFile(bytes))))

test.each([undefined, 0])('level %s becomes 4, with its numbers', async (level) => {
  const exact = await run(whole([matmul(level)]))
  const int8 = await run(whole([matmul(4)]))
  expect(await run(changed(whole([matmul(level)])))).toEqual(int8)
  // Otherwise the test would prove nothing.
  expect(exact).not.toEqual(int8)
})

test('a matmul inside a branch is changed as well', async () => {
  const branched = (level: number | undefined) => {
    const then = graphAttribute('then_branch', [matmul(level), value('output', 'y', ['rows', N])])
    const otherwise = graphAttribute('else_branch', [matmul(level), value('output', 'y', ['rows', N])])
    const condition = value('input', 'condition', [1], BOOL)
    return whole([condition, node('If', ['condition'], ['y'], { attributes: [then, otherwise] })])
  }
  const file = graphFile(branched(undefined))
  const graph = withInt8Matmuls(readGraphFile(file))
  const levels = graph.nodes[0]!.bodies.map(({ nodes }) => nodes[0]!.ints.accuracy_level)
  expect(levels).toEqual([4, 4])
  expect(await run(encodeGraph(graph))).toEqual(await run(branched(4)))
})

test('a level that was chosen, 8 bits, and another domain stay as they are', () => {
  const kept = [
    ...[1, 2, 3, 4].map((level) => whole([matmul(level)])),
    whole([matmul(0, { bits: 8 })], 8),
    whole([matmul(0, { domain: 'org.other' })]),
  ]
  for (const bytes of kept) {
    const graph = readGraphFile(graphFile(bytes))
    expect(withInt8Matmuls(graph)).toBe(graph)
  }
})
