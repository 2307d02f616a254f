import { execFileSync } from 'node:child_process'
import { appendFileSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { makeReport } from '../../src/bench/report/report.ts'
import { writeReport } from '../../src/bench/report/write-report.ts'
import { loadSamples, openSampleFile } from '../../src/bench/sample-file.ts'
import { madeUpRun } from '../support/bench-run.ts'

const folder = mkdtempSync(join(tmpdir(), 'spout-test-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

function save(path: string, run = madeUpRun()): void {
  const file = openSampleFile(path)
  file.start(run.environment)
  for (const sample of run.samples) file.add(sample, run.ids.get(sample.arm)!)
}

test('what is saved is what is loaded, and each sample is there at once', () => {
  const path = join(folder, 'all.jsonl')
  const run = madeUpRun()
  const file = openSampleFile(path)
  file.start(run.environment)
  for (const [i, sample] of run.samples.entries()) {
    file.add(sample, run.ids.get(sample.arm)!)
    expect(loadSamples(path).samples.length).toBe(i + 1)
  }
  const { environment, samples, ids } = loadSamples(path)
  expect(environment).toEqual(run.environment)
  expect(samples.map(({ arm, figures }) => [arm, figures])).toEqual(
    run.samples.map(({ arm, figures }) => [arm, figures]),
  )
  expect(Object.fromEntries(ids)).toEqual(Object.fromEntries(run.ids))
})

test('a line that a crash has cut costs that line, and the next run is whole', () => {
  const path = join(folder, 'cut.jsonl')
  save(path)
  const { length } = readFileSync(path)
  truncateSync(path, length - 40)
  const all = madeUpRun().samples.length
  expect(loadSamples(path).samples.length).toBe(all - 1)
  save(path, madeUpRun({ pairs: 10 }))
  expect(loadSamples(path).samples.length).toBe(madeUpRun({ pairs: 10 }).samples.length)
})

test('other files are refused by name', () => {
  const path = join(folder, 'other')
  expect(() => loadSamples(path)).toThrow(expect.objectContaining({ code: 'not-found' }))
  for (const text of [
    '',
    'not json\n',
    '{"kind":"run","format":99,"environment":{"arms":[]}}\n',
    '[1]\nnull\n7\n',
  ]) {
    writeFileSync(path, text)
    expect(() => loadSamples(path)).toThrow(
      expect.objectContaining({ code: 'data', message: `${path}: holds no samples` }),
    )
  }
  save(path)
  appendFileSync(path, '{"kind":"sample","arm":"product","figures":{"requestMs":-1},"idsHash":"x"}\n')
  expect(() => loadSamples(path)).toThrow(/holds no samples/)
  expect(() => openSampleFile(join(folder, 'no', 'such'))).toThrow(
    expect.objectContaining({ code: 'output' }),
  )
})

test('beside saved samples: labelled, judged, and another model or other ids are said', () => {
  const path = join(folder, 'then.jsonl')
  save(path, madeUpRun({ seed: 5n, slower: { other: 0 }, spread: 0.005 }))
  const now = madeUpRun({ slower: { other: 0.3 }, spread: 0.005, ids: { other: [9] } })
  const report = makeReport(now, loadSamples(path))
  const rows = new Map(report.against.map((row) => [row.arm, row]))
  expect(rows.get('other')!.judged!.verdict.word).toBe('slower')
  expect(rows.get('product')!.judged!.verdict.word).toBe('alike')
  expect([rows.get('other')!.sameIds, rows.get('product')!.sameIds]).toEqual([false, true])
  const text = writeReport(report, 'md')
  expect(text).toContain('Not interleaved')
  expect(text).toContain('other ids')
  expect(text).not.toContain('another model file')
  expect(JSON.parse(writeReport(report, 'json')).against[0]).toMatchObject({ interleaved: false })
})

test.skipIf(process.platform === 'win32')(
  'a pipe or a device is no file of samples, and is not waited for',
  () => {
    const pipe = join(folder, 'pipe')
    execFileSync('mkfifo', [pipe])
    for (const path of [pipe, '/dev/zero']) {
      expect(() => loadSamples(path)).toThrow(
        expect.objectContaining({ code: 'not-found', message: expect.stringContaining('cannot be read') }),
      )
    }
  },
)
