/** Every instruction set, by the interpreter and on the processor where it has it, equals the definition to the last bit. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { withOwnAttention } from '../../src/graph-passes/own-attention.ts'
import { withOwnOperators } from '../../src/graph-passes/own-graph.ts'
import * as attention from '../../src/kernels/numerics/attention.ts'
import { BLOCK, matmul, type QuantizedWeights, swiglu } from '../../src/kernels/numerics/matmul.ts'
import { distinctOperators } from '../../src/kernels/operators.ts'
import type { Graph } from '../../src/onnx-file/graph.ts'
import { placeOf } from '../../src/onnx-file/tensor-bytes.ts'
import {
  type AttentionOptions,
  attentionGraph,
  attentionRows,
  widthsOf,
} from '../support/attention-graphs.ts'
import { bytesOf } from '../support/interpreter/run-own-graph.ts'
import { ALL_WAYS, attendSequences, runOwnGraph } from '../support/kernel-ways.ts'
import { graphOf } from '../support/matmul-graphs.ts'
import { type MatmulShape, matmulNode, matmulWeights } from '../support/quantized-matmuls.ts'
import type { Feed } from '../support/run-graph.ts'
import { node, value } from '../support/tiny-graphs.ts'

/** Numbers of many sizes, of which some blocks are all zero, tiny or huge. */
function rowsWith(count: number, k: number, seed: number): Feed {
  const data = attentionRows([k], count, seed)[0]!
  for (let i = 0; i < data.length; i++) {
    const block = Math.floor(i / BLOCK)
    const size = (block * 7 + seed) % 11
    data[i]! *= size === 0 ? 0 : 10 ** (size - 6)
  }
  return { type: 'float32', dims: [1, count, k], data }
}

/** A matmul that a graph names, as the definition takes it. */
function weightsOf(
  graph: Graph,
  name: string,
  { k, n, bits = 4, block = 32, hasZeroPoints = false }: MatmulShape,
): QuantizedWeights {
  const packed = bytesOf(placeOf(graph, name)!)
  const bytes = bytesOf(placeOf(graph, `${name}.scales`)!)
  const scales = new Float32Array(bytes.buffer)
  const codes =
    bits === 8
      ? packed
      : Uint8Array.from({ length: n * k }, (_, i) => (packed[i >> 1]! >> (4 * (i & 1))) & 15)
  const each = Float32Array.from(
    { length: (n * k) / BLOCK },
    (_, i) => scales[Math.floor((i * BLOCK) / block)]!,
  )
  if (!hasZeroPoints) return { k, n, bits, codes, scales: each }
  const packedZeros = bytesOf(placeOf(graph, `${name}.zeros`)!)
  const rowBytes = packedZeros.length / n
  const zeros = Uint8Array.from(each, (_, i) => {
    const [column, group] = [Math.floor((i * BLOCK) / k), Math.floor(((i * BLOCK) % k) / block)]
    const at = column * rowBytes
    return bits === 8 ? packedZeros[at + group]! : (packedZeros[at + (group >> 1)]! >> (4 * (group & 1))) & 15
  })
  return { k, n, bits, codes, scales: each, zeros }
}

const bitsOf = (numbers: Float32Array | readonly number[]): string =>
  Buffer.from(Float32Array.from(numbers).buffer).toString('hex')

const matmuls = fc.record({
  k: fc.integer({ min: 1, max: 2 }).map((blocks) => 2 * BLOCK * blocks),
  n: fc.integer({ min: 1, max: 6 }).map((panels) => 16 * panels),
  count: fc.oneof(fc.constant(1), fc.integer({ min: 2, max: 12 })),
  bits: fc.constantFrom(4, 8),
  hasHalfScales: fc.boolean(),
  hasZeroPoints: fc.boolean(),
  block: fc.constantFrom(32, 64),
  isSwiglu: fc.boolean(),
  /** Results, or factors of them, that are denormal numbers: zero. */
  isTiny: fc.boolean(),
  seed: fc.integer({ min: 1, max: 1000 }),
})

/** Many rows have code of their own with AVX2: with some rows more than whole tiles, than a span of 128, and with blocks that are unpacked in turns. */
const MANY = [
  { k: 64, n: 48, count: 131, isSwiglu: false, hasZeroPoints: false },
  { k: 66 * BLOCK, n: 16, count: 25, isSwiglu: true, hasZeroPoints: true },
].map((size, i) => ({ ...size, bits: 4, hasHalfScales: i === 0, block: 32, isTiny: false, seed: i + 1 }))

test('matmuls', async () => {
  await fc.assert(
    fc.asyncProperty(matmuls, async ({ count, isSwiglu, isTiny, seed, ...size }) => {
      const shape = {
        ...size,
        level: 4,
        scaleOf: (i: number) =>
          (((i % 5) + 1) / (size.hasHalfScales ? 1024 : 1000)) * (isTiny ? 2 ** -112 : 1),
      }
      const rows = rowsWith(count, shape.k, seed)
      const names = isSwiglu ? ['gate', 'up'] : ['y']
      const graph = graphOf(
        ...names.flatMap((name) => [
          matmulNode('rows', `w.${name}`, name, shape),
          ...matmulWeights(`w.${name}`, shape),
        ]),
        ...(isSwiglu
          ? [
              node('Sigmoid', ['gate'], ['share']),
              node('Mul', ['gate', 'share'], ['active']),
              node('Mul', ['active', 'up'], ['y']),
            ]
          : []),
        value('input', 'rows', ['batch', 'count', shape.k]),
        value('output', 'y', ['batch', 'count', shape.n]),
      )
      const made = names.map((name) =>
        matmul(rows.data as Float32Array, weightsOf(graph, `w.${name}`, shape)),
      )
      const expected = bitsOf(isSwiglu ? swiglu(made[0]!, made[1]!) : made[0]!)
      for (const way of ALL_WAYS) {
        const { y } = await runOwnGraph(way, withOwnOperators(graph), { rows })
        expect(bitsOf(y!), way.name).toBe(expected)
      }
    }),
    { numRuns: 20, examples: MANY.map((each): [typeof each] => [each]) },
  )
})

const attentions = fc.record({
  kvHeads: fc.integer({ min: 1, max: 2 }),
  group: fc.integer({ min: 1, max: 8 }),
  headDim: fc.constantFrom<number>(32, 96),
  isPacked: fc.boolean(),
  isRotated: fc.boolean(),
  chunks: fc.constantFrom<number[]>([1], [3, 1], [20, 1, 1], [7, 7], [17, 2]),
  seed: fc.integer({ min: 1, max: 1000 }),
})

/** Past a segment, by one row and by several. */
const LONG = {
  kvHeads: 1,
  group: 1,
  headDim: 32,
  isPacked: true,
  isRotated: true,
  chunks: [126, 1, 2, 1],
  seed: 1,
}

test('attention', async () => {
  await fc.assert(
    fc.asyncProperty(attentions, async ({ group, chunks, seed, ...size }) => {
      const options = { ...size, heads: group * size.kvHeads }
      const widths = widthsOf(options)
      const graph = attentionGraph(options)
      const { graph: own, attentions } = withOwnAttention(graph)
      // Beside it another sequence, of a row in each run.
      const runs = chunks.map((count) => [
        { sequence: 1, count: 1 },
        { sequence: 0, count },
      ])
      const counts = [chunks.reduce((a, b) => a + b, 0), chunks.length]
      const sequences = counts.map((count, i) => attentionRows(widths, count, seed + i))
      const { scale } = attentions[0]!
      const expected = sequences.map((rows) => bitsOf(attended(graph, { ...options, scale }, rows)))
      const operators = distinctOperators({ matmuls: [], attentions })
      for (const way of ALL_WAYS) {
        const run = { graph: own, operators, sequences, widths, runs, ...size }
        const found = await attendSequences(way, run)
        expect(found.map(bitsOf), way.name).toEqual(expected)
      }
    }),
    { numRuns: 8, examples: [[LONG]] },
  )
})

test('scores below the one that the largest starts from', async () => {
  const options = { heads: 1, kvHeads: 1, headDim: 32, isPacked: false, isRotated: false, scale: 1 }
  const { graph, attentions } = withOwnAttention(attentionGraph(options))
  const [query, key, value] = attentionRows(widthsOf(options), 1) as [
    Float32Array,
    Float32Array,
    Float32Array,
  ]
  query.fill(0)
  key.fill(0)
  query[0] = 1e15
  key[0] = -1.5e15
  const expected = bitsOf(attended(graph, options, [query, key, value]))
  for (const way of ALL_WAYS) {
    const operators = distinctOperators({ matmuls: [], attentions })
    const one = { sequences: [[query, key, value]], runs: [[{ sequence: 0, count: 1 }]] }
    const found = await attendSequences(way, {
      graph,
      operators,
      widths: widthsOf(options),
      ...one,
      ...options,
    })
    expect(bitsOf(found[0]!), way.name).toBe(expected)
  }
})

/** All rows by the definition. */
function attended(
  graph: Graph,
  options: AttentionOptions & { scale: number },
  rows: Float32Array[],
): Float32Array {
  const { heads, kvHeads, headDim, scale, isRotated = true } = options
  const count = rows[0]!.length / widthsOf(options)[0]!
  const tables = ['cos', 'sin'].map((name) => {
    return isRotated ? new Float32Array(bytesOf(placeOf(graph, name)!).buffer) : new Float32Array(0)
  })
  const width = heads + 2 * kvHeads
  const headOf = (which: 0 | 1 | 2, token: number, head: number): Float32Array => {
    const [part, of, first] =
      rows.length === 1
        ? [rows[0]!, width, [0, heads, heads + kvHeads][which]!]
        : [rows[which]!, which === 0 ? heads : kvHeads, 0]
    const start = (token * of + first + head) * headDim
    return part.slice(start, start + headDim)
  }
  const turned = (head: Float32Array, token: number): Float32Array => {
    const [cos, sin] = tables.map((table) =>
      table.subarray((token * headDim) / 2, ((token + 1) * headDim) / 2),
    )
    return isRotated ? attention.rotate(head, cos!, sin!) : head
  }
  const all = (which: 1 | 2): Float32Array[] =>
    Array.from({ length: kvHeads }, (_, head) => {
      const each = Array.from({ length: count }, (_, token) => {
        const part = headOf(which, token, head)
        return [...(which === 1 ? turned(part, token) : part)]
      })
      return Float32Array.from(each.flat())
    })
  const [keys, values] = [all(1), all(2)]
  const result: number[] = []
  for (let token = 0; token < count; token++) {
    for (let head = 0; head < heads; head++) {
      const query = turned(headOf(0, token, head), token).map((x) => Math.fround(x * scale))
      const kvHead = Math.floor(head / (heads / kvHeads))
      const end = (token + 1) * headDim
      result.push(
        ...attention.attend(query, keys[kvHead]!.subarray(0, end), values[kvHead]!.subarray(0, end)),
      )
    }
  }
  return Float32Array.from(result)
}
