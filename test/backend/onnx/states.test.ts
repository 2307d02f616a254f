/**
 * Whatever is done to a cache (pieces, steps back, marks, runs that fail), what follows is what would follow if the
 * ids had been fed to a new one.
 */
import fc from 'fast-check'
import { afterAll, describe, expect, test } from 'vitest'
import type { KvCache } from '../../../src/backend/backend.ts'
import type { RuntimeChoice } from '../../../src/onnx-runtime/open-runtime.ts'
import { graphFile } from '../../support/graph-file.ts'
import { emptyConfig, type OpenedModel, openModel } from '../../support/open-onnx.ts'
import { TOY_VOCAB, type ToyOptions, toyDecoder, toyMerged } from '../../support/toy-decoder.ts'

/** Histories of each model; a long run asks for more. */
const RUNS = Number(process.env.SPOUT_STATE_RUNS ?? 100)

const config = { ...emptyConfig, headDim: 16, contextLength: 64 }

type Step =
  | { kind: 'append'; ids: number[] }
  | { kind: 'trim'; keep: number }
  | { kind: 'mark' }
  | { kind: 'fail'; id: number }

/** @param failing ids that make a run fail */
function steps(failing: readonly number[]): fc.Arbitrary<Step[]> {
  return fc.array(
    fc.oneof(
      { weight: 5, arbitrary: fc.record({ kind: fc.constant('append' as const), ids: someIds(6) }) },
      { weight: 3, arbitrary: fc.record({ kind: fc.constant('trim' as const), keep: fc.nat(20) }) },
      { weight: 1, arbitrary: fc.constant({ kind: 'mark' as const }) },
      {
        weight: 1,
        arbitrary: fc.record({ kind: fc.constant('fail' as const), id: fc.constantFrom(...failing) }),
      },
    ),
    { maxLength: 12 },
  )
}

/** An id that no table has, and one that only the last operators refuse, when every state has been written. */
const FAILING = [TOY_VOCAB, TOY_VOCAB - 1]

function someIds(most: number): fc.Arbitrary<number[]> {
  return fc.array(fc.nat(TOY_VOCAB - 2), { minLength: 1, maxLength: most })
}

const TOYS: readonly (ToyOptions & { chunking: string; canTrim: boolean })[] = [
  { layers: ['concat'], chunking: 'any', canTrim: true },
  { layers: ['concat', 'concat'], positionRows: 1, chunking: 'any', canTrim: true },
  { layers: ['gqa'], positionRows: 3, chunking: 'any', canTrim: true },
  { layers: ['window'], positionRows: 1, chunking: 'any', canTrim: false },
  { layers: ['conv'], chunking: 'any', canTrim: false },
  { layers: ['recurrent'], chunking: 'one-by-one', canTrim: false },
  { layers: ['gqa', 'conv'], positionRows: 1, chunking: 'any', canTrim: false },
  { layers: ['window', 'gqa', 'concat', 'recurrent'], chunking: 'one-by-one', canTrim: false },
  { layers: [], positionRows: 1, chunking: 'any', canTrim: false },
]

const RUNTIMES: readonly { runtime: RuntimeChoice; numRuns: number }[] = [
  { runtime: 'c-api', numRuns: RUNS },
  { runtime: 'node', numRuns: RUNS / 5 },
]

for (const { runtime, numRuns } of RUNTIMES) {
  for (const { chunking, canTrim, ...toy } of TOYS) {
    const name = [...toy.layers, `positions ${toy.positionRows ?? 0}`].join(' + ')
    describe(`${runtime}: ${name}`, () => {
      const model = open(toyDecoder({ ...toy, failsLate: true }), runtime)

      test('the plan says how it may be fed', async () => {
        const { plan, backend } = await model()
        expect(plan.chunking).toBe(chunking)
        expect(backend.createCache().canTrim).toBe(canTrim)
      })

      test('any history gives what a new cache gives', async () => {
        const opened = await model()
        await fc.assert(
          fc.asyncProperty(steps(FAILING), someIds(4), (history, last) => equalsFresh(opened, history, last)),
          { numRuns },
        )
      })
    })
  }
}

describe('two graphs in an If, the second for one new id', () => {
  const model = open(toyMerged(), 'c-api')
  test('any history gives what a new cache gives', async () => {
    const opened = await model()
    expect(opened.plan.chunking).toBe('one-by-one')
    await fc.assert(
      fc.asyncProperty(steps([TOY_VOCAB]), someIds(4), (history, last) => equalsFresh(opened, history, last)),
      { numRuns: RUNS },
    )
  })
})

test('two caches of one session do not see each other', async () => {
  const { backend } = await openModel(graphFile(toyDecoder({ layers: ['gqa', 'conv'] })), { config })
  const [first, second] = [backend.createCache(), backend.createCache()]
  const expected = [await rowAfter(backend, [1, 2, 3]), await rowAfter(backend, [4, 5, 3])]
  for (const [a, b] of [
    [1, 4],
    [2, 5],
  ] as const) {
    await backend.forward(Int32Array.of(a), first)
    await backend.forward(Int32Array.of(b), second)
  }
  const rows: number[][] = []
  for (const cache of [first, second]) rows.push([...(await backend.forward(Int32Array.of(3), cache)).row])
  rows.forEach((row, i) => {
    expectClose(row, expected[i]!)
  })
  await backend.dispose()
})

/** Opened when first asked for, closed at the end. */
function open(bytes: Uint8Array, runtime: RuntimeChoice): () => Promise<OpenedModel> {
  let opened: Promise<OpenedModel> | undefined
  afterAll(async () => (await opened)?.backend.dispose())
  return () => {
    opened ??= openModel(graphFile(bytes), { runtime, config })
    return opened
  }
}

async function equalsFresh({ backend }: OpenedModel, history: Step[], last: number[]): Promise<void> {
  const cache = backend.createCache()
  let held: number[] = []
  for (const step of history) {
    if (step.kind === 'append' && held.length + step.ids.length > config.contextLength - 4) continue
    await apply(backend, cache, step)
    if (step.kind === 'append') held = [...held, ...step.ids]
    if (step.kind === 'trim') held = held.slice(0, step.keep)
    expect(cache.length).toBe(held.length)
  }
  const row = [...(await backend.forward(Int32Array.from(last), cache)).row]
  expectClose(row, await rowAfter(backend, [...held, ...last]))
  cache.dispose()
}

async function apply(backend: OpenedModel['backend'], cache: KvCache, step: Step): Promise<void> {
  if (step.kind === 'append') await backend.forward(Int32Array.from(step.ids), cache)
  else if (step.kind === 'trim') cache.trim(step.keep)
  else if (step.kind === 'mark') cache.mark()
  else await expect(backend.forward(Int32Array.of(1, 2, step.id), cache)).rejects.toThrow(/Gather/)
}

async function rowAfter(backend: OpenedModel['backend'], ids: number[]): Promise<number[]> {
  const cache = backend.createCache()
  const { row } = await backend.forward(Int32Array.from(ids), cache)
  const copy = [...row]
  cache.dispose()
  return copy
}

function expectClose(row: readonly number[], expected: readonly number[]): void {
  const apart = Math.max(...row.map((value, i) => Math.abs(value - expected[i]!)))
  expect(apart).toBeLessThan(1e-4)
}
