/** A large product taken apart gives the numbers that it gave whole, to the last bit. */
import { expect, test } from 'vitest'
import { splitProducts } from '../../src/graph-passes/split-products.ts'
import type { Graph } from '../../src/onnx-file/graph.ts'
import {
  expectSameNumbers,
  graphOf,
  K,
  opTypes,
  PRODUCT_KINDS,
  ROW_COUNTS,
  rowsOf,
} from '../support/product-graphs.ts'
import { type ProductShape, productNode, productWeights } from '../support/quantized-products.ts'
import { INT64, node, value } from '../support/tiny-graphs.ts'

/** So small that every part is as small as may be: of 128 columns. */
const LIMIT = 1

/** logits = x × the weights `head`, and what else is given. */
function oneProduct(shape: ProductShape, ...more: Uint8Array[]): Graph {
  return graphOf(
    value('input', 'x', [1, 'rows', shape.k]),
    productNode('x', 'head', 'logits', shape),
    ...productWeights('head', shape),
    value('output', 'logits', [1, 'rows', shape.n]),
    ...more,
  )
}

test.each(Object.entries(PRODUCT_KINDS))('%s: a large product becomes several', async (_, kind) => {
  // 3 parts, and one of what is left.
  const shape = { ...kind, k: K, n: 3 * 128 + 48 }
  const before = oneProduct(shape)
  const after = splitProducts(before, LIMIT)
  expect(opTypes(after)).toEqual([...Array(4).fill('MatMulNBits'), 'Concat'])
  expect(after.initializers.has('head')).toBe(false)
  for (const count of ROW_COUNTS) await expectSameNumbers(before, after, { x: rowsOf(count) })
})

test('weights in a file stay there: the parts are places in it', async () => {
  const shape = { k: 128, n: 300, level: 4 }
  const before = oneProduct(shape)
  const after = splitProducts(before, LIMIT)
  const bytes = after.rest.reduce((sum, field) => sum + field.length, 0)
  expect(bytes).toBeLessThan((shape.n * shape.k) / 4)
  await expectSameNumbers(before, after, { x: rowsOf(3, shape.k) })
})

test('a weight that somebody else reads stays where it is', async () => {
  const shape = { k: K, n: 300, level: 4 }
  const before = oneProduct(shape, node('Shape', ['head'], ['shape']), value('output', 'shape', [3], INT64))
  const after = splitProducts(before, LIMIT)
  expect(after.initializers.has('head')).toBe(true)
  await expectSameNumbers(before, after, { x: rowsOf(3) })
})

test('a product that is not that large is left alone', () => {
  const shape = { k: K, n: 256, level: 4 }
  const graph = oneProduct(shape)
  expect(splitProducts(graph)).toBe(graph)
  expect(splitProducts(graph, (shape.k * shape.n) / 2)).toBe(graph)
  expect(splitProducts(graph, (shape.k * shape.n) / 2 - 1)).not.toBe(graph)
})
