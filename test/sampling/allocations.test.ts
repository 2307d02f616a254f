/** A token costs no allocation: measured by test/bench/sampling.mjs in a process of its own, on the build. */
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { assertBuilt, ROOT } from '../support/run-spout.ts'

assertBuilt()

test('no chain allocates as much as one number per token', () => {
  const flags = ['--expose-gc', '--min-semi-space-size=64', '--max-semi-space-size=64']
  const script = join(ROOT, 'test/bench/sampling.mjs')
  // Code that a busy machine has not compiled yet boxes its numbers: what allocates does so every time.
  const least = new Map<string, number>()
  for (let run = 0; run < 4; run++) {
    const output = execFileSync(process.execPath, [...flags, script, '--heap', '--json'], {
      cwd: ROOT,
      encoding: 'utf8',
    })
    const bytes: Record<string, number> = JSON.parse(output).bytes
    expect(Object.keys(bytes).length).toBeGreaterThan(5)
    for (const [chain, perToken] of Object.entries(bytes))
      least.set(chain, Math.min(least.get(chain) ?? Number.POSITIVE_INFINITY, Math.abs(perToken)))
    if ([...least.values()].every((perToken) => perToken <= 8)) break
  }
  expect([...least].filter(([, perToken]) => perToken > 8)).toEqual([])
})
