/** Graphs of quantized matmuls, and the test that two of them compute the same. */
import { expect } from 'vitest'
import { encodeGraph, type Graph, readGraphFile } from '../../src/onnx-file/graph-file.ts'
import { graphFile } from './graph-file.ts'
import type { MatmulShape } from './quantized-matmuls.ts'
import { type Feed, runGraph } from './run-graph.ts'
import { model } from './tiny-graphs.ts'

export const K = 64

/** Also one that names operators of ours, which no model's file may. */
export const graphOf = (...parts: Uint8Array[]): Graph =>
  readGraphFile(graphFile(model(parts)), { isOurs: true })
export const opTypes = ({ nodes }: Graph): string[] => nodes.map(({ opType }) => opType)
export const rowsOf = (count: number, k = K): Feed => {
  return {
    type: 'float32',
    dims: [1, count, k],
    data: Float32Array.from({ length: count * k }, (_, i) => Math.sin(i * 1.7)),
  }
}

/** The two graphs give the same, with one thread and with two. */
export async function expectSameNumbers(
  before: Graph,
  after: Graph,
  feeds: Record<string, Feed>,
): Promise<void> {
  for (const threads of [1, 2]) {
    const [expected, found] = [await run(before, feeds, threads), await run(after, feeds, threads)]
    expect(Object.values(expected)[0]!.some((number) => number !== 0)).toBe(true)
    expect(found).toEqual(expected)
  }
}

function run(graph: Graph, feeds: Record<string, Feed>, threads: number): Promise<Record<string, number[]>> {
  return runGraph({ bytes: encodeGraph(graph), weightsFolder: graph.weightsFolder }, feeds, { threads })
}

export const MATMUL_KINDS: Record<string, Omit<MatmulShape, 'n' | 'k'>> = {
  '4 bits in int8': { level: 4 },
  '4 bits in fp32': { level: 0 },
  '4 bits with zero points': { level: 4, hasZeroPoints: true },
  '4 bits with zero points in a row': { level: 4, hasZeroPoints: true, isFlat: true },
  '8 bits': { bits: 8, level: 4 },
}
/** Of a step, and around the tiles of the kernels. */
export const ROW_COUNTS = [1, 2, 16, 17, 33]
