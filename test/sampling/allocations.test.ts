/** A token costs no allocation: measured by test/bench/sampling.mjs in a process of its own, on the build. */
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { assertBuilt, ROOT } from '../support/run-spout.ts'

assertBuilt()

test('no chain allocates as much as one number per token', () => {
  const flags = ['--expose-gc', '--min-semi-space-size=64', '--max-semi-space-size=64']
  const script = join(ROOT, 'test/bench/sampling.mjs')
  const output = execFileSync(process.execPath, [...flags, script, '--heap', '--json'], {
    cwd: ROOT,
    encoding: 'utf8',
  })
  const bytes: Record<string, number> = JSON.parse(output).bytes
  expect(Object.keys(bytes).length).toBeGreaterThan(5)
  expect(Object.entries(bytes).filter(([, perToken]) => Math.abs(perToken) > 8)).toEqual([])
})
