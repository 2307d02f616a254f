import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { hasOwnAttention, withOwnAttention } from '../../../src/graph-passes/own-attention.ts'
import { tileQueries } from '../../../src/kernels/attention/attention-shape.ts'
import { distinctOperators } from '../../../src/kernels/operators.ts'
import type { Graph } from '../../../src/onnx-file/graph.ts'
import {
  type AttentionOptions,
  type AttentionRun,
  attend,
  attentionGraph,
  attentionRows,
  type RaggedRun,
  widthsOf,
} from '../../support/attention-graphs.ts'
import { AttentionPages, type RunPart } from '../../support/attention-pages.ts'
import { attendOwn, attendSequences, WAYS, type Way } from '../../support/kernel-ways.ts'
import { opTypes } from '../../support/matmul-graphs.ts'
import { graphAttribute, node } from '../../support/tiny-graphs.ts'

const SMALL: AttentionOptions = { heads: 4, kvHeads: 2, headDim: 32 }

const branching = (name: string): Uint8Array =>
  node('If', ['condition'], ['chosen'], {
    attributes: [graphAttribute('then_branch', [node('Identity', [name], ['copy'])])],
  })

describe('graphs', () => {
  const others: Record<string, Partial<AttentionOptions>> = {
    'a window': { ints: { local_window_size: 4 } },
    'scores that are capped': { floats: { softcap: 30 } },
    'a softmax with one more': { ints: { smooth_softmax: 1 } },
    'pairs side by side': { ints: { rotary_interleaved: 1 } },
    'an attribute that we do not know': { ints: { elsewhere: 1 } },
    'positions of their own': { more: ['positions'] },
    'heads of 24': { headDim: 24 },
    'heads of 16, rotated': { headDim: 16 },
    'heads of 288': { headDim: 288 },
    'three heads for two': { heads: 3 },
    'part of a head rotated': { tableSize: 8 },
    fp16: { pastType: 10 },
    'heads of nothing': { headDim: 0, isRotated: false },
    'rows too wide to count in': { heads: 2 ** 24, kvHeads: 2 ** 18, headDim: 16, isRotated: false },
    'keys that something else reads': { parts: [node('Identity', ['present.key'], ['copy'])] },
    'a past that a body reads': { parts: [branching('past.key')] },
    'a past that something else reads': { parts: [node('Identity', ['past.key'], ['copy'])] },
  }
  test.each(Object.entries(others))('%s is left as it is', (_, options) => {
    const graph = attentionGraph({ ...SMALL, ...options })
    expect(hasOwnAttention(graph)).toBe(false)
    expect(withOwnAttention(graph)).toEqual({ graph, attentions: [] })
  })

  test('one that we compute becomes our own', () => {
    const graph = attentionGraph({ ...SMALL, scale: 0.5 })
    expect(hasOwnAttention(graph)).toBe(true)
    const own = withOwnAttention(graph)
    expect(opTypes(own.graph)).toEqual(['Attention_packed_rotated_4_2x32_3f000000'])
    expect(own.attentions).toEqual([
      { heads: 4, kvHeads: 2, headDim: 32, scale: 0.5, isPacked: true, isRotated: true },
    ])
  })

  test.each([{}, { scale: 0 }])('without a scale, %j, it is that of the head', (options) => {
    const [shape] = withOwnAttention(attentionGraph({ ...SMALL, headDim: 96, ...options })).attentions
    expect(shape!.scale).toBe(Math.fround(1 / Math.sqrt(96)))
  })
})

interface Case extends AttentionOptions {
  readonly chunks: readonly number[]
  readonly threads: number
  readonly seed: number
}

function runOf(
  options: AttentionOptions,
  { chunks, seed = 1 }: { chunks: readonly number[]; seed?: number },
) {
  const widths = widthsOf(options)
  const count = chunks.reduce((a, b) => a + b, 0)
  const { kvHeads, headDim } = options
  return {
    graph: attentionGraph(options),
    widths,
    rows: attentionRows(widths, count, seed),
    chunks,
    kvHeads,
    headDim,
  }
}

interface OwnRun extends AttentionRun {
  readonly pages?: AttentionPages
  readonly layer?: bigint
}

const ownRunner =
  (way: Way) =>
  (run: OwnRun): Promise<Float32Array> =>
    attendOwn(way, { ...run, ...ownOf(run.graph) })

function ownSequences(way: Way, run: Omit<RaggedRun, 'operators'>): Promise<Float32Array[]> {
  return attendSequences(way, { ...run, ...ownOf(run.graph) })
}

function ownOf(original: Graph): Pick<RaggedRun, 'graph' | 'operators'> {
  const { graph, attentions } = withOwnAttention(original)
  expect(attentions.length).toBe(1)
  return { graph, operators: distinctOperators({ matmuls: [], attentions }) }
}

interface Most {
  readonly kvHeads: number
  readonly group: number
  readonly headDims: readonly number[]
  readonly chunks: readonly fc.Arbitrary<number>[]
}

const casesOf = ({ kvHeads, group, headDims, chunks }: Most): fc.Arbitrary<Case> =>
  fc
    .record({
      kvHeads: fc.integer({ min: 1, max: kvHeads }),
      group: fc.integer({ min: 1, max: group }),
      headDim: fc.constantFrom(...headDims),
      isPacked: fc.boolean(),
      isRotated: fc.boolean(),
      scale: fc.constantFrom(undefined, 0.0721),
      chunks: fc.array(fc.oneof(fc.constant(1), ...chunks), { minLength: 1, maxLength: 6 }),
      threads: fc.integer({ min: 1, max: 3 }),
      seed: fc.integer(),
    })
    .map(({ group, scale, ...rest }) => ({
      ...rest,
      ...(scale === undefined ? {} : { scale }),
      heads: group * rest.kvHeads,
    }))

const anyCase = casesOf({
  kvHeads: 3,
  group: 2 * tileQueries('avx512-vnni') + 1,
  headDims: [32, 64, 96, 128, 256],
  chunks: [fc.integer({ min: 1, max: 40 }), fc.integer({ min: 100, max: 150 })],
})
const smallCase = casesOf({
  kvHeads: 2,
  group: tileQueries('avx2') + 2,
  headDims: [32, 64],
  chunks: [fc.integer({ min: 1, max: 20 }), fc.constant(60)],
})

describe.each(WAYS)('numbers, $name', (way) => {
  const own = ownRunner(way)
  const cases = way.isNative ? anyCase : smallCase
  const numRuns = way.isNative ? 8 : 4
  const threadCounts = way.isNative ? [1, 2, 3] : [1]

  test('are those of ONNX Runtime', async () => {
    await fc.assert(
      fc.asyncProperty(cases, async ({ chunks, threads, seed, ...options }) => {
        const run = { ...runOf(options, { chunks, seed }), threads }
        const [expected, found] = [await attend(run), await own(run)]
        expect(farthest(expected, found)).toBeLessThan(5e-6)
      }),
      { numRuns },
    )
  })

  test('do not depend on where a text is cut, nor on threads', async () => {
    await fc.assert(
      fc.asyncProperty(cases, async ({ chunks, threads, seed, ...options }) => {
        const run = runOf(options, { chunks, seed })
        const count = chunks.reduce((a, b) => a + b, 0)
        const whole = await own({ ...run, chunks: [count] })
        expect(differences(whole, await own({ ...run, threads }))).toEqual([])
      }),
      { numRuns },
    )
  })

  test('one by one is all at once', async () => {
    const count = way.isNative ? 300 : 132
    const run = runOf({ heads: 9, kvHeads: 3, headDim: way.isNative ? 64 : 32 }, { chunks: [count] })
    const whole = await own({ ...run, threads: 2 })
    for (const threads of threadCounts) {
      const found = await own({ ...run, chunks: Array(count).fill(1), threads })
      expect(differences(whole, found)).toEqual([])
    }
  })

  test('scores far apart: the largest takes all', async () => {
    const run = runOf({ ...SMALL, isPacked: false, isRotated: false, scale: 1 }, { chunks: [150] })
    const [query, key] = run.rows as [Float32Array, Float32Array, Float32Array]
    for (const rows of [query, key]) for (let i = 0; i < rows.length; i++) rows[i]! *= 100
    expect(farthest(await attend(run), await own(run))).toBeLessThan(1e-5)
  })

  test('what is no number stays with the rows that see it', async () => {
    const run = runOf({ ...SMALL, isPacked: false }, { chunks: [10, 1, 200] })
    const clean = await own(run)
    run.rows[1]![140 * run.widths[1]! + 3] = Number.NaN
    const found = await own(run)
    const width = 4 * 32
    const others = differences(clean, found).filter((i) => i < 140 * width)
    expect(others).toEqual([])
    expect(Array.from({ length: 71 }, (_, i) => Number.isNaN(found[(140 + i) * width]!))).not.toContain(false)
    expect(found.subarray(140 * width + 64, 141 * width)).toEqual(
      clean.subarray(140 * width + 64, 141 * width),
    )
  })

  test('tables that are not asked for are no matter', async () => {
    const run = runOf({ ...SMALL, ints: { do_rotary: 0 } }, { chunks: [5] })
    expect(farthest(await attend(run), await own(run))).toBeLessThan(5e-6)
  })

  test('what is nearly nothing is the same on every thread', async () => {
    // The first key scores far below the others, and its value alone is not zero.
    const run = runOf(
      { heads: 1, kvHeads: 1, headDim: 32, isPacked: false, isRotated: false, scale: 1 },
      { chunks: [140] },
    )
    const [query, key, value] = run.rows as [Float32Array, Float32Array, Float32Array]
    for (const rows of run.rows) rows.fill(0)
    value.fill(1, 0, 32)
    for (let i = 0; i < 140; i++) query[32 * i] = 1
    for (const gap of [88, 95, 100]) {
      key[0] = -gap
      const whole = await own(run)
      for (const threads of threadCounts) {
        for (const chunks of [[140], Array(140).fill(1)]) {
          expect(differences(whole, await own({ ...run, chunks, threads }))).toEqual([])
        }
      }
    }
  })

  test.each([-300, 300])('scores that are all %d', async (score) => {
    const run = runOf(
      { heads: 1, kvHeads: 1, headDim: 32, isPacked: false, isRotated: false, scale: 1 },
      { chunks: [1, 20, 1] },
    )
    const [query, key] = run.rows as [Float32Array, Float32Array, Float32Array]
    for (const rows of [query, key]) rows.fill(0)
    for (let i = 0; i < 22; i++) {
      query[32 * i] = 1
      key[32 * i] = score
    }
    expect(farthest(await attend(run), await own(run))).toBeLessThan(5e-6)
  })

  test('no rows give none', async () => {
    expect(await own(runOf(SMALL, { chunks: [3, 0, 2] }))).toHaveLength(5 * 4 * 32)
  })

  test('a sequence among others is what it is alone', async () => {
    await fc.assert(
      fc.asyncProperty(cases, schedules, async ({ chunks: _, seed, threads, ...options }, schedule) => {
        const runs = way.isNative ? schedule : schedule.slice(0, 3)
        const { graph, widths } = runOf(options, { chunks: [1] })
        const counts = [0, 1, 2].map((sequence) =>
          runs.flat().reduce((sum, part) => sum + (part.sequence === sequence ? part.count : 0), 0),
        )
        const sequences = counts.map((count, i) => attentionRows(widths, count, seed + i))
        const found = await ownSequences(way, { ...options, graph, widths, sequences, runs, threads })
        for (const [i, rows] of sequences.entries()) {
          if (counts[i] === 0) continue
          const alone = await own({ ...options, graph, widths, rows, chunks: [counts[i]!] })
          expect(differences(alone, found[i]!)).toEqual([])
        }
      }),
      // Each makes three sequences and several graphs.
      { numRuns: way.isNative ? 3 : 1 },
    )
  }, 60_000)

  describe('refused', () => {
    const whole = runOf({ ...SMALL }, { chunks: [17] })
    const tables = (change: (made: Tables) => Tables): AttentionPages =>
      new (class extends AttentionPages {
        override append(parts: readonly RunPart[]): Tables {
          return change(super.append(parts))
        }
      })({ ...SMALL, most: 2 })
    const refused: Record<string, AttentionPages> = {
      'a page beyond the pool': tables((made) => ({ ...made, pages: Int32Array.of(2) })),
      'a page before the first': tables((made) => ({ ...made, pages: Int32Array.of(-1) })),
      'no page': tables((made) => ({ ...made, pages: Int32Array.of() })),
      'too few pages': tables(({ pages }) => ({ pages, parts: Int32Array.of(17, 112) })),
      'fewer rows than there are': tables(({ pages }) => ({ pages, parts: Int32Array.of(16, 0) })),
      'more rows than there are': tables(({ pages }) => ({ pages, parts: Int32Array.of(18, 0) })),
      'rows of nobody': tables(({ pages }) => ({ pages, parts: Int32Array.of() })),
      'a sequence without rows': tables(({ pages }) => ({ pages, parts: Int32Array.of(17, 0, 0, 0) })),
      'fewer tokens before than none': tables(({ pages }) => ({ pages, parts: Int32Array.of(17, -1) })),
    }
    test.each(Object.entries(refused))('%s', async (_, pages) => {
      await expect(own({ ...whole, pages })).rejects.toThrow('has another shape')
    })

    test('positions beyond the tables', async () => {
      const short = runOf({ ...SMALL, positions: 16 }, { chunks: [17] })
      await expect(own(short)).rejects.toThrow('has another shape')
    })

    // The processor would read where nothing is; only the interpreter can tell.
    const layers = way.isNative ? [] : [64n, -64n, 1n << 40n]
    for (const layer of layers) {
      test(`a layer at ${layer} of a page`, async () => {
        await expect(own({ ...whole, layer })).rejects.toThrow('has another shape')
      })
    }

    test('pages that are too small', async () => {
      const pages = new AttentionPages({ ...SMALL, kvHeads: 1 })
      await expect(own({ ...whole, pages })).rejects.toThrow(/another shape|invalid dimensions/)
    })
  })
})

/** Parts of up to three sequences in each run. */
const schedules = fc.array(
  fc
    .record({
      sequences: fc.subarray([0, 1, 2], { minLength: 1 }),
      counts: fc.array(fc.oneof(fc.constant(1), fc.integer({ min: 1, max: 60 }), fc.constant(126)), {
        minLength: 3,
        maxLength: 3,
      }),
    })
    .map(({ sequences, counts }) => sequences.map((sequence, i) => ({ sequence, count: counts[i]! }))),
  { minLength: 1, maxLength: 5 },
)

interface Tables {
  readonly parts: Int32Array
  readonly pages: Int32Array
}

/** Where two differ in a single bit; comparing them number by number with `toEqual` takes minutes. */
function differences(a: Float32Array, b: Float32Array): number[] {
  expect(a.length).toBe(b.length)
  const [left, right] = [a, b].map((each) => new Int32Array(each.buffer, each.byteOffset, each.length))
  const found: number[] = []
  for (let i = 0; i < left!.length; i++) if (left![i] !== right![i]) found.push(i)
  return found
}

/** The largest difference, as a share of the largest number. */
function farthest(a: Float32Array, b: Float32Array): number {
  expect(a.length).toBe(b.length)
  let [size, most] = [0, 0]
  for (let i = 0; i < a.length; i++) {
    size = Math.max(size, Math.abs(a[i]!))
    most = Math.max(most, Math.abs(a[i]! - b[i]!))
    if (Number.isNaN(b[i]!) || Number.isNaN(a[i]!)) return Number.NaN
  }
  return most / size
}
