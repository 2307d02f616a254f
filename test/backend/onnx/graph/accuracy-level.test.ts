/** A graph whose 4-bit products were changed is the graph that was written with int8 products. */
import { expect, test } from 'vitest'
import { withInt8Products } from '../../../../src/backend/onnx/graph/accuracy-level.ts'
import { encodeGraph, readGraphFile } from '../../../../src/backend/onnx/graph/graph-file.ts'
import { bytesField, varintField } from '../../../../src/backend/onnx/graph/wire.ts'
import { openCApiRuntime } from '../../../../src/backend/onnx/runtime/c-session.ts'
import { graphFile } from '../../../support/graph-file.ts'
import {
  BOOL,
  graphAttribute,
  initializer,
  intAttribute,
  model,
  node,
  value,
} from '../../../support/tiny-graphs.ts'

const K = 64
const N = 16
const UINT8 = 2

/** One product of [rows, 64] with a matrix of `bits`-bit numbers that look random. */
function product(level: number | undefined, { bits = 4, domain = 'com.microsoft' } = {}): Uint8Array {
  const attributes = Object.entries({ K, N, bits, block_size: 32 }).map(([name, n]) => intAttribute(name, n))
  if (level !== undefined) attributes.push(intAttribute('accuracy_level', level))
  return node('MatMulNBits', ['x', 'w', 's'], ['y'], { domain, attributes })
}

function weights(bits = 4): Uint8Array[] {
  const bytes = Uint8Array.from({ length: (N * K * bits) / 8 }, (_, i) => (i * 73 + 41) % 256)
  const dims = [N, K / 32, 4 * bits].map((dim) => varintField(1, dim))
  const packed = bytesField(5, [...dims, varintField(2, UINT8), bytesField(8, 'w'), bytesField(9, bytes)])
  const scales = Float32Array.from({ length: (N * K) / 32 }, (_, i) => 0.01 + (i % 7) / 100)
  return [packed, initializer('s', [N * (K / 32)], scales)]
}

const x = value('input', 'x', ['rows', K])
const y = value('output', 'y', ['rows', N])
const whole = (nodes: readonly Uint8Array[], bits = 4) => model([x, y, ...nodes, ...weights(bits)])

async function run(bytes: Uint8Array): Promise<number[]> {
  const session = await openCApiRuntime().createSession(
    { bytes, weightsFolder: '.' },
    { threads: 1, spinning: false },
  )
  const rows = Float32Array.from({ length: 3 * K }, (_, i) => Math.sin(i * 1.7))
  session.bindData('x', 'float32', new Float32Array(rows.buffer), [3, K])
  for (const { name } of session.inputs) {
    if (name === 'condition') session.bindData(name, 'bool', Uint8Array.of(1), [1])
  }
  session.bindOutput('y')
  await session.run()
  const found = session.takeOutput('y')
  const numbers = Array.from(found.data as Float32Array)
  found.dispose()
  await session.dispose()
  return numbers
}

const changed = (bytes: Uint8Array) => encodeGraph(withInt8Products(readGraphFile(graphFile(bytes))))

test.each([undefined, 0])('level %s becomes 4, with its numbers', async (level) => {
  const exact = await run(whole([product(level)]))
  const int8 = await run(whole([product(4)]))
  expect(await run(changed(whole([product(level)])))).toEqual(int8)
  // Otherwise the test would prove nothing.
  expect(exact).not.toEqual(int8)
})

test('a product inside a branch is changed as well', async () => {
  const branched = (level: number | undefined) => {
    const then = graphAttribute('then_branch', [product(level), value('output', 'y', ['rows', N])])
    const otherwise = graphAttribute('else_branch', [product(level), value('output', 'y', ['rows', N])])
    const condition = value('input', 'condition', [1], BOOL)
    return whole([condition, node('If', ['condition'], ['y'], { attributes: [then, otherwise] })])
  }
  const file = graphFile(branched(undefined))
  const graph = withInt8Products(readGraphFile(file))
  const levels = graph.nodes[0]!.bodies.map(({ nodes }) => nodes[0]!.ints.accuracy_level)
  expect(levels).toEqual([4, 4])
  expect(await run(encodeGraph(graph))).toEqual(await run(branched(4)))
})

test('a level that was chosen, 8 bits, and another domain stay as they are', () => {
  const kept = [
    ...[1, 2, 3, 4].map((level) => whole([product(level)])),
    whole([product(0, { bits: 8 })], 8),
    whole([product(0, { domain: 'org.other' })]),
  ]
  for (const bytes of kept) {
    const graph = readGraphFile(graphFile(bytes))
    expect(withInt8Products(graph)).toBe(graph)
  }
})
