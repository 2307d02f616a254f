/** Rope tables as graphs carry them: a constant, or a choice of two by the length of the text. */
import { expect, test } from 'vitest'
import { readRopeTables } from '../../../../src/backend/onnx/plan/rope-table.ts'
import { readGraphFile } from '../../../../src/onnx-file/graph-file.ts'
import { graphFile } from '../../../support/graph-file.ts'
import {
  FLOAT,
  graphAttribute,
  initializer,
  integers,
  model,
  node,
  tensor,
  tensorAttribute,
  value,
} from '../../../support/tiny-graphs.ts'

const table = (name: string, rows: number): Uint8Array =>
  initializer(name, [rows, 2], new Float32Array(rows * 2))

const attention = (cosine: string): Uint8Array =>
  node('GroupQueryAttention', ['q', 'k', 'v', 'pk', 'pv', 's', 't', cosine, 'sin'], ['y'], {
    domain: 'com.microsoft',
  })

function tablesOf(...parts: Uint8Array[]) {
  return readRopeTables(readGraphFile(graphFile(model(parts))))
}

const never = Number.MAX_SAFE_INTEGER

test('one table: its rows', () => {
  expect(tablesOf(table('cos', 40), attention('cos'))).toEqual({ rows: 40, switchAt: never })
})

test('tables of several layers: the shortest', () => {
  expect(tablesOf(table('a', 40), table('b', 30), attention('a'), attention('b')).rows).toBe(30)
})

test('rotation outside the attention', () => {
  const inputs = ['x', 'position_ids', 'cos', 'sin']
  const contrib = node('RotaryEmbedding', inputs, ['y'], { domain: 'com.microsoft' })
  expect(tablesOf(table('cos', 24), contrib).rows).toBe(24)
  const standard = node('RotaryEmbedding', ['x', 'cos', 'sin', 'position_ids'], ['y'])
  expect(tablesOf(table('cos', 25), standard).rows).toBe(25)
})

test('angles that are computed have no length', () => {
  const computed = node('Cos', ['angles'], ['cos'])
  expect(tablesOf(computed, attention('cos'))).toEqual({ rows: undefined, switchAt: never })
  expect(tablesOf(attention(''))).toEqual({ rows: undefined, switchAt: never })
})

const constantTable = (name: string, rows: number): Uint8Array[] => [
  node('Constant', [], [name], {
    attributes: [
      tensorAttribute('value', tensor('', [rows, 2], { type: FLOAT, values: new Float32Array(rows * 2) })),
    ],
  }),
  value('output', name, [rows, 2]),
]

function chosen(compare: string, limit: number): Uint8Array[] {
  return [
    integers('limit', [], [limit]),
    node(compare, ['length', 'limit'], ['is_long']),
    node('If', ['is_long'], ['cos', 'sin'], {
      attributes: [
        graphAttribute('then_branch', [
          ...constantTable('long_cos', 4096),
          ...constantTable('long_sin', 4096),
        ]),
        graphAttribute('else_branch', [
          ...constantTable('short_cos', 128),
          ...constantTable('short_sin', 128),
        ]),
      ],
    }),
    attention('cos'),
  ]
}

test('two tables: the rows of the longer, and where they change', () => {
  expect(tablesOf(...chosen('Greater', 128))).toEqual({ rows: 4096, switchAt: 128 })
  expect(tablesOf(...chosen('GreaterOrEqual', 101))).toEqual({ rows: 4096, switchAt: 100 })
})

test('a condition that is not understood: the short table serves as far as it goes', () => {
  expect(tablesOf(...chosen('Less', 50))).toEqual({ rows: 4096, switchAt: 128 })
})
