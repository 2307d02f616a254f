/** A large matmul taken apart gives the numbers that it gave whole, to the last bit. */
import { expect, test } from 'vitest'
import { splitMatmuls } from '../../src/graph-passes/split-matmuls.ts'
import type { Graph } from '../../src/onnx-file/graph.ts'
import {
  expectSameNumbers,
  graphOf,
  K,
  MATMUL_KINDS,
  opTypes,
  ROW_COUNTS,
  rowsOf,
} from '../support/matmul-graphs.ts'
import { type MatmulShape, matmulNode, matmulWeights } from '../support/quantized-matmuls.ts'
import { INT64, node, value } from '../support/tiny-graphs.ts'

/** So small that every part is as small as may be: of 128 columns. */
const LIMIT = 1

/** logits = x × the weights `head`, and what else is given. */
function oneMatmul(shape: MatmulShape, ...more: Uint8Array[]): Graph {
  return graphOf(
    value('input', 'x', [1, 'rows', shape.k]),
    matmulNode('x', 'head', 'logits', shape),
    ...matmulWeights('head', shape),
    value('output', 'logits', [1, 'rows', shape.n]),
    ...more,
  )
}

test.each(Object.entries(MATMUL_KINDS))('%s: a large matmul becomes several', async (_, kind) => {
  // 3 parts, and one of what is left.
  const shape = { ...kind, k: K, n: 3 * 128 + 48 }
  const before = oneMatmul(shape)
  const after = splitMatmuls(before, LIMIT)
  expect(opTypes(after)).toEqual([...Array(4).fill('MatMulNBits'), 'Concat'])
  expect(after.initializers.has('head')).toBe(false)
  for (const count of ROW_COUNTS) await expectSameNumbers(before, after, { x: rowsOf(count) })
})

test('weights in a file stay there: the parts are places in it', async () => {
  const shape = { k: 128, n: 300, level: 4 }
  const before = oneMatmul(shape)
  const after = splitMatmuls(before, LIMIT)
  const bytes = after.otherFields.reduce((sum, field) => sum + field.length, 0)
  expect(bytes).toBeLessThan((shape.n * shape.k) / 4)
  await expectSameNumbers(before, after, { x: rowsOf(3, shape.k) })
})

test('a weight that somebody else reads stays where it is', async () => {
  const shape = { k: K, n: 300, level: 4 }
  const before = oneMatmul(shape, node('Shape', ['head'], ['shape']), value('output', 'shape', [3], INT64))
  const after = splitMatmuls(before, LIMIT)
  expect(after.initializers.has('head')).toBe(true)
  await expectSameNumbers(before, after, { x: rowsOf(3) })
})

test('a matmul that is not that large is left alone', () => {
  const shape = { k: K, n: 256, level: 4 }
  const graph = oneMatmul(shape)
  expect(splitMatmuls(graph)).toBe(graph)
  expect(splitMatmuls(graph, (shape.k * shape.n) / 2)).toBe(graph)
  expect(splitMatmuls(graph, (shape.k * shape.n) / 2 - 1)).not.toBe(graph)
})
