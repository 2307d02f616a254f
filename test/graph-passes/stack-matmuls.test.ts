/** Matmuls that are stacked give the numbers that they gave one by one, to the last bit. */
import { expect, test } from 'vitest'
import { stackMatmuls } from '../../src/graph-passes/stack-matmuls.ts'
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
import type { Feed } from '../support/run-graph.ts'
import { intAttribute, node, value } from '../support/tiny-graphs.ts'

const INT32 = 6

test.each(Object.entries(MATMUL_KINDS))('%s: matmuls of the same rows become one', async (_, shape) => {
  const sizes = { gate: 208, up: 208, more: 48 }
  const before = graphOf(
    value('input', 'x', [1, 'rows', K]),
    ...Object.entries(sizes).flatMap(([name, n]) => [
      matmulNode('x', name, `${name}.out`, { ...shape, k: K, n }),
      ...matmulWeights(name, { ...shape, k: K, n }),
      node('Sigmoid', [`${name}.out`], [`${name}.y`]),
      value('output', `${name}.y`, [1, 'rows', n]),
    ]),
  )
  const after = stackMatmuls(before)
  expect(opTypes(after).filter((name) => name === 'MatMulNBits')).toHaveLength(1)
  for (const count of ROW_COUNTS) await expectSameNumbers(before, after, { x: rowsOf(count) })
})

test('query, key and value go to their attention in one', async () => {
  const sizes = { q: 128, k: 64, v: 64 }
  const past = { type: 'float32', dims: [1, 2, 0, 32], data: new Float32Array(0) } as const
  const before = graphOf(
    value('input', 'x', [1, 'rows', K]),
    value('input', 'past_k', [1, 2, 'past', 32]),
    value('input', 'past_v', [1, 2, 'past', 32]),
    value('input', 'seqlens', [1], INT32),
    value('input', 'total', [1], INT32),
    ...Object.entries(sizes).flatMap(([name, n]) => [
      matmulNode('x', name, `${name}.out`, { level: 4, k: K, n }),
      ...matmulWeights(name, { k: K, n }),
    ]),
    node(
      'GroupQueryAttention',
      ['q.out', 'k.out', 'v.out', 'past_k', 'past_v', 'seqlens', 'total'],
      ['y', 'present_k', 'present_v'],
      {
        domain: 'com.microsoft',
        attributes: [intAttribute('num_heads', 4), intAttribute('kv_num_heads', 2)],
      },
    ),
    value('output', 'y', [1, 'rows', 128]),
    value('output', 'present_k', [1, 2, 'all', 32]),
    value('output', 'present_v', [1, 2, 'all', 32]),
  )
  const after = stackMatmuls(before)
  expect(opTypes(after).filter((name) => name !== 'Concat')).toEqual(['MatMulNBits', 'GroupQueryAttention'])
  for (const count of ROW_COUNTS) {
    const integer = (n: number): Feed => ({ type: 'int32', dims: [1], data: Int32Array.of(n) })
    const feeds = { past_k: past, past_v: past, seqlens: integer(count - 1), total: integer(count) }
    await expectSameNumbers(before, after, { ...feeds, x: rowsOf(count) })
  }
})

test('other rows, other shapes, an output, a bias and other domains are left alone', () => {
  const shape = { k: K, n: 64, level: 4 }
  const twice = (a: MatmulShape, b: MatmulShape, rows = 'x', ...more: Uint8Array[]) =>
    graphOf(
      value('input', 'x', [1, 'rows', K]),
      value('input', 'z', [1, 'rows', K]),
      matmulNode('x', 'a', 'a.out', a),
      matmulNode(rows, 'b', 'b.out', b),
      ...matmulWeights('a', a),
      ...matmulWeights('b', b),
      node('Add', ['a.out', 'b.out'], ['y']),
      value('output', 'y', [1, 'rows', 64]),
      ...more,
    )
  for (const graph of [
    twice(shape, shape, 'z'),
    twice(shape, { ...shape, level: 0 }),
    twice(shape, { ...shape, bits: 8 }),
    twice(shape, { ...shape, hasZeroPoints: true }),
    twice(shape, { ...shape, hasBias: true }),
    twice(shape, shape, 'x', value('output', 'b.out', [1, 'rows', 64])),
    twice({ ...shape, domain: 'org.other' }, { ...shape, domain: 'org.other' }),
  ]) {
    expect(stackMatmuls(graph)).toBe(graph)
  }
  const same = twice(shape, shape)
  expect(stackMatmuls(same)).not.toBe(same)
  expect(stackMatmuls(same, (2 * K * 64) / 2 - 1)).toBe(same)
})
