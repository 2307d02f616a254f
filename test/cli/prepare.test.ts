/** Preparation as a user meets it: after the answer, by itself, in a process of its own; and by command. */
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, expect, test } from 'vitest'
import { runSpout } from '../support/run-spout.ts'

const cache = mkdtempSync(join(tmpdir(), 'spout-prepare-cli-'))
afterAll(() => rmSync(cache, { recursive: true, force: true }))
const env = { SPOUT_CACHE_DIR: cache, SPOUT_NO_PREPARE: '' }
const ASKED = ['Once upon a time', '--seed', '6', '-n', '12']

const preparedNames = (): string[] =>
  existsSync(join(cache, 'prepared')) ? readdirSync(join(cache, 'prepared')) : []
const isDone = (): boolean => {
  const names = preparedNames()
  return names.length === 1 && existsSync(join(cache, 'prepared', names[0]!, 'manifest.json'))
}

test('[prepare.after prepare.off] a model is prepared after its first answer, and the next run says the same', async () => {
  const plain = await runSpout(ASKED, { env: { SPOUT_CACHE_DIR: cache } })
  expect(plain.code).toBe(0)
  expect((await runSpout([...ASKED, '--no-prepare'], { env })).stdout).toBe(plain.stdout)
  expect((await runSpout(['-n', 'x'], { env })).code).toBe(2)
  expect(preparedNames()).toEqual([])
  const first = await runSpout(ASKED, { env })
  expect(first).toMatchObject({ code: 0, stdout: plain.stdout, stderr: '' })
  for (let waits = 0; !isDone() && waits < 2400; waits++) await sleep(50)
  expect(isDone()).toBe(true)
  expect(await runSpout(ASKED, { env })).toMatchObject({ code: 0, stdout: plain.stdout, stderr: '' })
})

test('[prepare.command] models prepare, show and prune tell what they did', async () => {
  const prepared = await runSpout(['models', 'prepare'], { env })
  expect(prepared.stdout).toMatch(
    /^spout-tiny q4: was prepared before \([\d.]+ MB\); --again does it anew\n$/,
  )
  const again = await runSpout(['models', 'prepare', '--again', '--if-free', '--json'], { env })
  expect(JSON.parse(again.stdout)).toEqual([
    expect.objectContaining({ id: 'spout-tiny', dtype: 'q4', outcome: 'prepared', reason: null }),
  ])
  const shown = await runSpout(['models', 'show', 'fixtures/models/spout-tiny'], { env })
  expect(shown.stdout).toMatch(/^prepared: +[\d.]+ MB$/m)
  const dry = await runSpout(['models', 'prune', '--keep', '0', '--dry-run'], { env })
  expect(dry.stdout).toMatch(/^would remove 1 prepared \([\d.]+ MB\)/)
  expect(preparedNames()).toHaveLength(1)
  const kept = await runSpout(['models', 'prune'], { env })
  expect(kept.stdout).toMatch(/^removed 0 prepared /)
  const pruned = await runSpout(['models', 'prune', '--keep', '0'], { env })
  expect(pruned.stdout).toMatch(/^removed 1 prepared \([\d.]+ MB\); 0 B there now\n$/)
  expect(preparedNames()).toEqual([])
})

test('[prepare.precise] a model is prepared apart with --precise, and says what its file says', async () => {
  const ask = [
    '-m',
    'fixtures/models/tiny-chat',
    '--dtype',
    'q4',
    '--raw',
    '--ignore-eos',
    '-n',
    '8',
    '-t',
    '0',
    'a b c',
  ]
  const prepare = ['models', 'prepare', 'fixtures/models/tiny-chat', '--dtype', 'q4', '--json']
  const plain = await runSpout([...ask, '--precise'], { env: { SPOUT_CACHE_DIR: cache } })
  expect(plain.code).toBe(0)
  const [faster] = JSON.parse((await runSpout(prepare, { env })).stdout)
  const [precise] = JSON.parse((await runSpout([...prepare, '--precise'], { env })).stdout)
  expect([faster.precise, precise.precise, precise.changes]).toEqual([false, true, []])
  expect(preparedNames()).toHaveLength(2)
  expect((await runSpout([...ask, '--precise'], { env })).stdout).toBe(plain.stdout)
  rmSync(join(cache, 'prepared'), { recursive: true })
})

test('models prepare prepares what a prompt without flags runs', async () => {
  const settings = { ...env, SPOUT_DTYPE: 'fp32', SPOUT_PRECISE: '1' }
  const [prepared] = JSON.parse((await runSpout(['models', 'prepare', '--json'], { env: settings })).stdout)
  expect(prepared).toMatchObject({ id: 'spout-tiny', dtype: 'fp32', precise: true, outcome: 'prepared' })
})

test('what models prepare cannot do has its own exit code', async () => {
  expect((await runSpout(['models', 'prepare', 'no/such', '--offline'], { env })).code).toBe(66)
  expect((await runSpout(['models', 'prune', '--again'], { env })).code).toBe(2)
})
