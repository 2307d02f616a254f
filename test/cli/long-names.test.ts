/** Flags by their long names, as the built program takes them: what the short ones say, and what is no flag of another test. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { runHere } from '../support/run-here.ts'

const folder = mkdtempSync(join(tmpdir(), 'spout-long-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const MODEL = 'fixtures/models/spout-tiny'
const PROMPT = ['--seed', '4', 'Once upon a time']

test('a long name says what the short one says', async () => {
  const file = join(folder, 'answer.txt')
  const short = await runHere(['-m', MODEL, '-t', '0.9', '-n', '12', ...PROMPT])
  const long = await runHere(
    ['--model', MODEL, '--temperature', '0.9', '--max-tokens', '12', '--output', file].concat(PROMPT),
  )
  expect([short.code, long.code, long.stdout]).toEqual([0, 0, ''])
  expect(readFileSync(file, 'utf8')).toBe(short.stdout)
})

test('every step of sampling is taken, and those that keep everything change nothing', async () => {
  const all = ['-t', '1', '-n', '12', '--top-k', '0', '--top-p', '1', '--min-p', '0']
  const plain = await runHere([...all, ...PROMPT])
  const off = [
    '--typical-p',
    '1',
    '--presence-penalty',
    '0',
    '--frequency-penalty',
    '0',
    '--no-repeat-ngram-size',
    '0',
  ]
  const same = await runHere([...all, ...off, ...PROMPT])
  expect([same.code, same.stdout]).toEqual([0, plain.stdout])
  const on = [
    '--typical-p',
    '0.5',
    '--presence-penalty',
    '2',
    '--frequency-penalty',
    '2',
    '--no-repeat-ngram-size',
    '1',
  ]
  const other = await runHere(['-t', '1', '-n', '12', '--repeat-last-n', '-1', ...on, ...PROMPT])
  expect(other.code).toBe(0)
  expect(other.stdout).not.toBe(plain.stdout)
})

test('a measurement of two tokens', async () => {
  const argv = [
    '--bench',
    '--bench-tokens',
    '2',
    '--bench-pairs',
    '10',
    '--bench-arms',
    'log-lines',
    '-o',
    'json',
    'a',
  ]
  const run = await runHere(argv)
  expect(run).toMatchObject({ code: 0 })
})
