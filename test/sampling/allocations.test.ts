/** A token costs no allocation: measured by test/bench/sampling.mjs in a process of its own, on a fresh build. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'

const root = fileURLToPath(new URL('../../', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'spout-allocations-'))

beforeAll(() => {
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
  const compiler = join(root, 'node_modules/typescript/bin/tsc')
  execFileSync(process.execPath, [compiler, '-p', 'tsconfig.build.json', '--outDir', folder], { cwd: root })
})
afterAll(() => rmSync(folder, { recursive: true }))

test('no chain allocates as much as one number per token', () => {
  const flags = ['--expose-gc', '--min-semi-space-size=64', '--max-semi-space-size=64']
  const script = join(root, 'test/bench/sampling.mjs')
  const output = execFileSync(process.execPath, [...flags, script, '--heap', '--json', '--modules', folder], {
    encoding: 'utf8',
  })
  const bytes: Record<string, number> = JSON.parse(output).bytes
  expect(Object.keys(bytes).length).toBeGreaterThan(5)
  expect(Object.entries(bytes).filter(([, perToken]) => Math.abs(perToken) > 8)).toEqual([])
})
