/** Which graphs make each row of logits of one row of ids, and which of those to the last bit. */
import { describe, expect, test } from 'vitest'
import { flattenEmbedding } from '../../src/graph-passes/flat-embedding.ts'
import {
  keepLastRows,
  keepWantedRows,
  NUM_LOGITS_TO_KEEP,
  WANTED,
} from '../../src/graph-passes/keep-last-rows.ts'
import { withOwnOperators } from '../../src/graph-passes/own-graph.ts'
import { rowUse } from '../../src/graph-passes/row-by-row.ts'
import { type Graph, readGraphFile } from '../../src/onnx-file/graph-file.ts'
import { attentionDecoder } from '../support/attention-decoder.ts'
import { graphFile } from '../support/graph-file.ts'
import { CHAT_MODEL, TINY_MODEL } from '../support/models.ts'
import {
  INT64,
  initializer,
  intAttribute,
  integers,
  intsAttribute,
  model,
  node,
  value,
} from '../support/tiny-graphs.ts'

const SIZE = 8
const attributes = (...list: Uint8Array[]) => ({ attributes: list })
const axis = (number: number) => attributes(intAttribute('axis', number))

/** ids → embedding `x` [1, rows, 8] → `parts` → `hidden` → a head of `MatMul`, or `logits` of `parts`. */
function graphOf(
  parts: readonly Uint8Array[],
  { head = true, more = [] as readonly Uint8Array[] } = {},
): Graph {
  const numbers = (count: number): Float32Array => Float32Array.from({ length: count }, (_, i) => Math.sin(i))
  const bytes = model([
    value('input', 'input_ids', [1, 'rows'], INT64),
    initializer('table', [16, SIZE], numbers(16 * SIZE)),
    node('Gather', ['table', 'input_ids'], ['x']),
    initializer('eight', [SIZE], numbers(SIZE)),
    initializer('matrix', [SIZE, SIZE], numbers(SIZE * SIZE)),
    initializer('three', [3, SIZE], numbers(3 * SIZE)),
    integers('split', [2], [4, 4]),
    integers('apart', [4], [0, 0, 2, 4]),
    integers('apart.flat', [3], [0, -1, 4]),
    integers('together', [3], [0, 0, 8]),
    integers('together.flat', [3], [0, -1, 8]),
    integers('lost', [2], [-1, 1]),
    integers('one.row', [3], [1, 1, -1]),
    integers('no.axis', [1], [-1]),
    ...parts,
    ...(head ? [node('MatMul', ['hidden', 'matrix'], ['logits'])] : []),
    value('output', 'logits', [1, 'rows', SIZE]),
    ...more,
  ])
  return readGraphFile(graphFile(bytes))
}

describe('with the head of the runtime', () => {
  const apart: Record<string, Uint8Array[]> = {
    'nothing between': [node('Identity', ['x'], ['hidden'])],
    'a matmul, a bias, an activation': [
      node('MatMul', ['x', 'matrix'], ['y']),
      node('Add', ['y', 'eight'], ['z']),
      node('Sigmoid', ['z'], ['share']),
      node('Mul', ['z', 'share'], ['hidden']),
    ],
    'heads taken apart and together': [
      node('Reshape', ['x', 'apart'], ['y']),
      node('Reshape', ['y', 'together'], ['hidden']),
    ],
    'heads among the rows': [
      node('Reshape', ['x', 'apart.flat'], ['y']),
      node('Softmax', ['y'], ['z'], axis(-1)),
      node('Reshape', ['z', 'together.flat'], ['hidden']),
    ],
    'halves of a row': [
      node('Split', ['x', 'split'], ['a', 'b'], axis(-1)),
      node('Concat', ['b', 'a'], ['hidden'], axis(2)),
    ],
  }
  test.each(Object.entries(apart))('%s: rows are apart', (_, parts) => {
    expect(rowUse(graphOf(parts))).toBe('apart')
  })

  const mixed: Record<string, Uint8Array[]> = {
    'a sum along the rows': [integers('one', [], [1]), node('CumSum', ['x', 'one'], ['hidden'])],
    'a softmax along the rows': [node('Softmax', ['x'], ['hidden'], axis(1))],
    'a softmax that does not say where': [node('Softmax', ['x'], ['hidden'])],
    'rows and columns changed': [
      node('Transpose', ['x'], ['y'], attributes(intsAttribute('perm', [0, 2, 1]))),
      node('Transpose', ['y'], ['hidden'], attributes(intsAttribute('perm', [0, 2, 1]))),
    ],
    'numbers for each of three rows': [node('Add', ['x', 'three'], ['hidden'])],
    'rows taken apart at their axis': [node('Split', ['x', 'split'], ['hidden', 'b'], axis(1))],
    'rows after rows': [node('Concat', ['x', 'x'], ['hidden'], axis(1))],
    'rows that are columns': [node('Reshape', ['x', 'lost'], ['hidden'])],
    'one row of all': [node('Reshape', ['x', 'one.row'], ['hidden'])],
    'no rows at all': [node('Reshape', ['x', 'no.axis'], ['hidden'])],
    'a matrix that is made of rows': [node('MatMul', ['x', 'x'], ['hidden'])],
    'how many rows there are': [node('Shape', ['x'], ['shape']), node('Reshape', ['x', 'shape'], ['hidden'])],
    'an operator that is not known': [node('Frobnicate', ['x'], ['hidden'], { domain: 'com.microsoft' })],
  }
  test.each(Object.entries(mixed))('%s: rows may meet', (_, parts) => {
    expect(rowUse(graphOf(parts))).toBe('mixed')
  })

  test('a past, a mask, or another input of which nothing is known', () => {
    const parts = [node('Identity', ['x'], ['hidden'])]
    for (const name of ['attention_mask', 'past_key_values.0.key', 'per_layer_inputs']) {
      expect(rowUse(graphOf(parts, { more: [value('input', name, [1, 'all'], INT64)] }))).toBe('mixed')
    }
  })
})

test('rows that are only moved, and added to what is constant, are exact', () => {
  const parts = [node('Add', ['x', 'eight'], ['y']), node('Mul', ['y', 'x'], ['logits'])]
  expect(rowUse(graphOf(parts, { head: false }))).toBe('exact')
})

describe('models', () => {
  const changed = (path: string) => {
    const graph = flattenEmbedding(readGraphFile(path))
    return withOwnOperators(keepLastRows(graph) ?? graph)
  }
  test('one whose operators are all ours is exact, and is told which rows are wanted', () => {
    const { graph, rows } = changed(`${TINY_MODEL.folder}/onnx/model_q4.onnx`)
    expect(rows).toBe('exact')
    expect(graph.inputs).toContain(WANTED)
    expect(graph.inputs).not.toContain(NUM_LOGITS_TO_KEEP)
    expect(graph.inputs.filter((name) => /past|mask/.test(name))).toEqual([])
  })

  test('one with a head of the runtime is apart; one without a head that is known takes its last rows', () => {
    expect(changed(graphFile(attentionDecoder('headed'))).rows).toBe('apart')
    const { graph } = changed(graphFile(attentionDecoder('plain')))
    expect(graph.inputs).not.toContain(WANTED)
  })

  test('one without attention of ours has no such thing', () => {
    expect(changed(`${CHAT_MODEL.folder}/onnx/model_q4.onnx`).rows).toBeUndefined()
  })

  test('an input of its own for how many rows stays, to be none', () => {
    const parts = [node('Identity', ['x'], ['hidden']), value('input', NUM_LOGITS_TO_KEEP, [], INT64)]
    const graph = keepWantedRows(graphOf(parts))!
    expect(graph.inputs).toEqual(['input_ids', NUM_LOGITS_TO_KEEP, WANTED])
    expect(rowUse(graph)).toBe('apart')
  })
})
