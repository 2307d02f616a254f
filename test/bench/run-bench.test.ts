/** The measurement itself, on models that cost nothing, and transformers.js on the embedded one. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { countAllocation } from '../../src/bench/allocation.ts'
import type { ComparisonSpec } from '../../src/bench/arm.ts'
import type { BenchPlan, BenchRun } from '../../src/bench/bench-run.ts'
import {
  BUILT_IN_ARMS,
  builtInComparisons,
  noiseComparison,
  productArm,
} from '../../src/bench/built-in-arms.ts'
import { watchLoad } from '../../src/bench/machine-load.ts'
import { makeReport } from '../../src/bench/report/report.ts'
import { type BenchIo, runBench } from '../../src/bench/run-bench.ts'
import type { Sample } from '../../src/bench/sample.ts'
import { hasTransformers } from '../../src/bench/transformers-arm.ts'
import { makeRequest } from '../../src/engine/request.ts'
import { openBackend } from '../../src/open/open-engine.ts'
import type { ModelChoice } from '../../src/open/open-options.ts'
import { TINY_MODEL } from '../support/models.ts'
import { FAIL, removeToys, toyModel } from '../support/toy-model.ts'

const toy = toyModel({ scripts: { d: ['round ', 'about '], f: ['that ', 'far ', FAIL] } })
const cache = mkdtempSync(join(tmpdir(), 'spout-test-'))
process.env.SPOUT_CACHE_DIR = cache
afterAll(() => {
  removeToys()
  rmSync(cache, { recursive: true, force: true })
})

function planOf(comparisons: readonly ComparisonSpec[], prompt: string, tokens = 5): BenchPlan {
  return {
    comparisons: [noiseComparison(comparisons), ...comparisons],
    task: { request: makeRequest({ prompt }), tokens },
    ...{ pairs: 2, seed: 1n, freshProcess: false, resolution: 0.03 },
  }
}

function ioOf(samples: Sample[], signal = new AbortController().signal): BenchIo {
  return {
    ...{ signal, hooks: { signal }, onProgress: () => undefined, onStart: () => undefined },
    onSample: (sample) => samples.push(sample),
  }
}

const settings = { model: toy, threads: 1 }

test('every arm but transformers.js and drafts runs, writes the same, and every sample is handed over as it is taken', async () => {
  const names = BUILT_IN_ARMS.filter((name) => name !== 'transformers.js' && name !== 'drafts')
  const seen: Sample[] = []
  const run = await runBench(planOf(builtInComparisons(names, settings), 'd'), ioOf(seen))
  expect(run.ended).toEqual({ how: 'complete' })
  expect(seen).toEqual(run.samples)
  expect(seen.length).toBe(4 * (names.length + 1))
  expect(new Set(seen.map(({ idsHash }) => idsHash)).size).toBe(1)
  const { rows, arms } = makeReport(run)
  expect(rows.map(({ ids, pairs }) => [ids.how, pairs.length])).toEqual(names.map(() => ['same', 2]))
  for (const { figures } of arms) {
    expect(figures.tokens).toBe(5)
    for (const name of [
      'requestMs',
      'loadMs',
      'prefillTps',
      'ttftMs',
      'decodeMs',
      'samplingShare',
      'textShare',
    ] as const) {
      expect(figures[name]).toBeGreaterThan(0)
    }
    expect(figures.decodeP95Ms).toBeGreaterThanOrEqual(figures.decodeMs!)
    expect(figures.samplingShare! + figures.textShare!).toBeLessThan(1)
    expect(figures.ttftMs).toBeLessThan(figures.requestMs!)
  }
})

test('drafts write the same where rows are exact, and are refused elsewhere', async () => {
  const run = (of: ModelChoice): Promise<BenchRun> =>
    runBench(planOf(builtInComparisons(['drafts'], { ...of, threads: 1 }), 'd'), ioOf([]))
  await expect(run({ model: toy })).rejects.toThrow('none are made where the rows of a run depend')
  const { backend } = await openBackend({ threads: 1 })
  const isExact = backend.runner?.numerics.exactRows === true
  await backend.dispose()
  if (!isExact) return void (await expect(run({})).rejects.toThrow('none are made'))
  const [row] = makeReport(await run({})).rows
  expect(row!.ids.how).toBe('same')
})

test.skipIf(!(await hasTransformers()))(
  'transformers.js writes the same ids on the same files (needs transformers.js)',
  async () => {
    const comparisons = builtInComparisons(['transformers.js'], { model: TINY_MODEL.folder })
    const run = await runBench(planOf(comparisons, 'Once upon a time', 6), ioOf([]))
    expect(run.ended).toEqual({ how: 'complete' })
    expect(makeReport(run).rows[0]!.ids).toEqual({ how: 'same' })
  },
)

test('an arm that fails ends the run, names itself, and what was measured before stays', async () => {
  const good = productArm(settings, 'good')
  const bad = { ...good, name: 'bad', settings: { ...settings, contextLength: 40 } }
  const plan = planOf([{ arm: bad, beside: good }], 'd')
  const seen: Sample[] = []
  const io = ioOf(seen)
  const run = await runBench(plan, {
    ...io,
    onSample: (sample, ids) => {
      io.onSample(sample, ids)
      if (seen.length === 3) throw new Error('no room to save')
    },
  })
  expect(run.ended).toMatchObject({ how: 'failed', why: { message: 'no room to save' } })
  expect(run.samples.length).toBe(3)
  const failing = await runBench(planOf([{ arm: good, beside: productArm(settings) }], 'f'), ioOf([]))
  expect(failing.ended).toMatchObject({
    how: 'failed',
    why: { code: 'failed', message: expect.stringMatching(/^arm product: /) },
  })
})

test('an abort ends it before the next sample', async () => {
  const controller = new AbortController()
  const seen: Sample[] = []
  const io = ioOf(seen, controller.signal)
  const reason = new Error('enough')
  const run = await runBench(planOf(builtInComparisons(['log-lines'], settings), 'd'), {
    ...io,
    onSample(sample, ids) {
      io.onSample(sample, ids)
      if (seen.length === 4) controller.abort(reason)
    },
  })
  expect(run.ended).toEqual({ how: 'interrupted', why: reason })
  expect(run.samples.length).toBe(4)
})

test('allocation is counted across collections', () => {
  const held: object[] = []
  const count = countAllocation()
  for (let i = 0; i < 400_000; i++) held[i % 10] = [i, i, i, i]
  // An array of four small numbers: 16 bytes of object, 16 of header and elements and more, as V8 lays them out.
  expect(count.stop()).toBeGreaterThan(400_000 * 48)
  const few = countAllocation()
  expect(few.stop()).toBeLessThan(200_000)
})

test('the work of another process is foreign load, unless it is told of', () => {
  const load = watchLoad()
  spawnSync(process.execPath, ['-e', 'const end = Date.now() + 300; while (Date.now() < end);'])
  const least = 0.3 / cpus().length
  expect(load.foreignShare()).toBeGreaterThan(least)
  expect(load.foreignShare(1e6)).toBe(0)
})
