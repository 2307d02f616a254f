/** The formats of a report, and what they must say. */
import { spawnSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { plotSvg } from '../../src/bench/report/plot.ts'
import { makeAxis } from '../../src/bench/report/plot-axis.ts'
import { makeReport } from '../../src/bench/report/report.ts'
import { writeReport } from '../../src/bench/report/write-report.ts'
import { madeUpRun } from '../support/bench-run.ts'

const interrupted = { how: 'interrupted', why: new Error('SIGINT') } as const
const text = (
  input: Parameters<typeof madeUpRun>[0],
  format: 'md' | 'json' | 'csv' | 'benchstat' = 'md',
): string => writeReport(makeReport(madeUpRun(input)), format)

test('each format holds every sample, and says when the run is not whole', () => {
  const run = madeUpRun({ ended: interrupted, taken: 30 })
  const report = makeReport(run)
  expect(writeReport(report, 'md')).toContain('incomplete: interrupted')
  const document = JSON.parse(writeReport(report, 'json'))
  expect([document.ended, document.samples.length]).toEqual(['interrupted', 30])
  const csv = writeReport(report, 'csv').trimEnd().split('\n')
  expect(csv.length).toBe(31)
  expect(csv.slice(1).every((line) => line.includes(',interrupted,'))).toBe(true)
  const benchstat = writeReport(report, 'benchstat')
  expect(benchstat).toContain('run: interrupted')
  expect(benchstat.match(/^BenchmarkRequest\/arm=\S+\t1\t[\d.]+ ns\/op\t/gm)!.length).toBe(30)
})

test('a failed run names the failure', () => {
  const failed = { how: 'failed', why: new Error('arm other: it broke') } as const
  expect(text({ ended: failed, taken: 9 })).toContain('failed: arm other: it broke')
  expect(JSON.parse(text({ ended: failed, taken: 9 }, 'json')).error).toBe('arm other: it broke')
})

test('half a pair counts for nothing', () => {
  const { rows, noise } = makeReport(madeUpRun({ ended: interrupted, taken: 7 }))
  const pairs = rows[0]!.pairs.length
  expect(pairs).toBeLessThanOrEqual(2)
  expect(makeReport(madeUpRun({ ended: interrupted, taken: 1 })).rows[0]!.judged).toBeUndefined()
  expect(noise === undefined || noise.count === 2).toBe(true)
})

test('however little was measured, no format says NaN or Infinity', () => {
  for (let taken = 0; taken < 12; taken++) {
    for (const format of ['md', 'json', 'csv', 'benchstat'] as const) {
      expect(text({ ended: interrupted, taken, pairs: 10 }, format)).not.toMatch(/NaN|Infinity|undefined/)
    }
  }
})

test('arms that write something else say from where on', () => {
  expect(text({ ids: { other: [1, 2, 4] } })).toContain('differ from token 3 on')
  expect(text({})).toContain('the same')
})

test('a pair is marked when either half was under foreign load, and stays', () => {
  const run = madeUpRun({ pairs: 10 })
  const samples = run.samples.map((sample) =>
    sample.of === 'other' && sample.side === 'beside' && sample.pair < 3
      ? { ...sample, foreignShare: 0.5 }
      : sample,
  )
  const report = makeReport({ ...run, samples })
  expect(report.rows[0]).toMatchObject({ marked: 3 })
  expect(report.rows[0]!.pairs.length).toBe(10)
  expect(writeReport(report, 'md')).toContain('| 10 (3 marked) |')
})

test('the tables of Markdown are whole, whatever stands in them', () => {
  const lines = text({ slower: { 'a|b': 0 } })
    .split('\n')
    .filter((line) => line.startsWith('|'))
  const columns = lines.map((line) => line.replaceAll('\\|', '').split('|').length)
  expect(new Set(columns)).toEqual(new Set([14]))
})

test('CSV reads as it was written', () => {
  const [head, first] = text({}, 'csv').split('\n')
  expect(first!.split(',').length).toBe(head!.split(',').length)
})

test('the picture is valid XML with a dot for every sample', () => {
  const run = madeUpRun({ slower: { 'a<b>&"c': 1, other: 0 }, pairs: 10 })
  const svg = plotSvg(makeReport(run))
  expect(svg.match(/<circle /g)!.length).toBe(run.samples.length)
  expect(svg).not.toMatch(/NaN|Infinity|undefined/)
  expect(svg).toContain('prefers-color-scheme: dark')
  const python = spawnSync(
    'python3',
    ['-c', 'import sys, xml.dom.minidom as m; m.parseString(sys.stdin.buffer.read())'],
    {
      input: svg,
      encoding: 'utf8',
    },
  )
  if (python.error === undefined) expect(python.stderr).toBe('')
})

test('an axis has some ticks, inside it and in order, for any range', () => {
  for (const [least, most] of [
    [50, 50],
    [50, 51],
    [49.9, 68],
    [3, 17],
    [0.4, 900],
    [1e-3, 1e-2],
  ] as const) {
    const { ticks, place } = makeAxis([least, most], { from: 100, to: 700 })
    expect(ticks.length).toBeGreaterThanOrEqual(2)
    const places = ticks.map(place)
    expect(places).toEqual([...places].sort((a, b) => a - b))
    expect(Math.min(...places)).toBeGreaterThanOrEqual(100)
    expect(Math.max(...places)).toBeLessThanOrEqual(700)
  }
})
