/** Rows of several ids and several parts are those of single runs, for every kind of state. */
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Runner } from '../../../src/backend/backend.ts'
import type { KvSequence } from '../../../src/backend/kv.ts'
import { graphFile } from '../../support/graph-file.ts'
import { emptyConfig, openModel } from '../../support/open-onnx.ts'
import { TOY_VOCAB, type ToyLayer, toyDecoder } from '../../support/toy-decoder.ts'

const KINDS: Readonly<Record<string, readonly ToyLayer[]>> = {
  'appended in place': ['gqa'],
  'handed over': ['concat'],
  'a window': ['window'],
  'a recurrence': ['recurrent', 'conv'],
  'no states': [],
}
const ids = fc.array(fc.integer({ min: 0, max: TOY_VOCAB - 2 }), { minLength: 1, maxLength: 9 })

describe.each(Object.entries(KINDS))('%s', (_, layers) => {
  let runner: Runner
  beforeAll(async () => {
    const path = graphFile(toyDecoder({ layers }))
    runner = (await openModel(path, { config: { ...emptyConfig, headDim: 16 } })).backend.runner
  })
  afterAll(() => runner.dispose())

  async function single(sequence: KvSequence, given: readonly number[]): Promise<Float32Array> {
    const rows = await runner.run([{ sequence, ids: Int32Array.from(given), wanted: 1 }])
    return rows.row(0).slice()
  }

  /** The row after each id, one id at a time. */
  async function plainRows(given: readonly number[]): Promise<Float32Array[]> {
    const sequence = runner.pool.open()
    const rows: Float32Array[] = []
    for (const id of given) rows.push(await single(sequence, [id]))
    sequence.dispose()
    return rows
  }

  function expectRows(found: readonly Float32Array[], expected: readonly Float32Array[]): void {
    expect(found.length).toBe(expected.length)
    for (const [i, row] of found.entries()) {
      for (const [j, number] of row.entries()) expect(number).toBeCloseTo(expected[i]![j]!, 4)
    }
  }

  test('the last ids of a part give a row each, as many as are wanted', async () => {
    await fc.assert(
      fc.asyncProperty(ids, ids, fc.nat(9), async (before, after, most) => {
        const wanted = Math.min(most, after.length)
        const expected = await plainRows([...before, ...after])
        const sequence = runner.pool.open()
        await single(sequence, before)
        const rows = await runner.run([{ sequence, ids: Int32Array.from(after), wanted }])
        expect(rows.count).toBe(wanted)
        const found = Array.from({ length: wanted }, (_, i) => rows.row(i).slice())
        expectRows(found, expected.slice(expected.length - wanted))
        expect([...sequence.ids]).toEqual([...before, ...after])
        sequence.dispose()
      }),
      { numRuns: 25 },
    )
  })

  test('parts of one run do not mix, and a fork goes on like its text', async () => {
    await fc.assert(
      fc.asyncProperty(ids, ids, ids, async (common, a, b) => {
        const [expectedA, expectedB] = [
          await plainRows([...common, ...a]),
          await plainRows([...common, ...b]),
        ]
        const first = runner.pool.open()
        await single(first, common)
        const second = first.fork()
        const third = runner.pool.open({ ids: Int32Array.from(common) })
        const rows = await runner.run([
          { sequence: first, ids: Int32Array.from(a), wanted: 1 },
          { sequence: third, ids: Int32Array.from(a), wanted: 0 },
          { sequence: second, ids: Int32Array.from(b), wanted: Math.min(2, b.length) },
        ])
        const found = Array.from({ length: rows.count }, (_, i) => rows.row(i).slice())
        expectRows(found, [expectedA.at(-1)!, ...expectedB.slice(-Math.min(2, b.length))])
        const next = await plainRows([...common, ...a, 4])
        expectRows([await single(third, [4])], [next.at(-1)!])
        for (const sequence of [first, second, third]) sequence.dispose()
      }),
      { numRuns: 15 },
    )
  })
})

test('all parts or none: one that fails leaves the others as they were', async () => {
  const path = graphFile(toyDecoder({ layers: ['gqa'], failsLate: true }))
  const { runner } = (await openModel(path, { config: { ...emptyConfig, headDim: 16 } })).backend
  const [good, bad] = [runner.pool.open(), runner.pool.open()]
  const part = (sequence: KvSequence, ...given: number[]) => ({
    sequence,
    ids: Int32Array.from(given),
    wanted: 1,
  })
  await runner.run([part(good, 1, 2), part(bad, 3)])
  await expect(runner.run([part(good, 5), part(bad, TOY_VOCAB - 1)])).rejects.toThrow(/Gather/)
  expect([good.length, bad.length]).toEqual([2, 1])
  const after = (await runner.run([part(good, 6)])).row(0).slice()
  const fresh = (await runner.run([part(runner.pool.open(), 1, 2, 6)])).row(0)
  for (const [i, number] of after.entries()) expect(number).toBeCloseTo(fresh[i]!, 4)
  await runner.dispose()
})

test('more rows than there is room for are refused before anything runs', async () => {
  const path = graphFile(toyDecoder({ layers: ['gqa'] }))
  const { runner } = (await openModel(path, { config: { ...emptyConfig, headDim: 16 } })).backend
  const sequence = runner.pool.open()
  const ids = new Int32Array(runner.numerics.mostWanted + 1)
  await expect(runner.run([{ sequence, ids, wanted: ids.length }])).rejects.toMatchObject({
    code: 'internal',
  })
  expect(sequence.length).toBe(0)
  await runner.dispose()
})
