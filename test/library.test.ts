/** The programs of docs/library.md, run as a user would: over the built library. */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect, test } from 'vitest'
import { ENVIRONMENT, ROOT } from './support/run-spout.ts'

const PROGRAMS = Array.from(
  readFileSync(join(ROOT, 'docs/library.md'), 'utf8').matchAll(/^```js\n([\s\S]*?)^```/gm),
  ([, program]) => program!,
)
const LIBRARY = pathToFileURL(join(ROOT, 'dist/index.js')).href

function run(program: string): string[] {
  const text = program.replace("from 'spout'", `from '${LIBRARY}'`)
  const options = { env: ENVIRONMENT, encoding: 'utf8', cwd: ROOT } as const
  const { stdout, stderr, status } = spawnSync(process.execPath, ['--input-type=module', '-e', text], options)
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  return stdout.split('\n')
}

test('an answer whole and in pieces', () => {
  const lines = run(PROGRAMS[0]!)
  expect(lines[0]).toMatch(/ length 20$/)
  expect(lines[1]).toBe(lines[0]!.replace(/ length 20$/, ''))
})

test('one engine, several answers, and a loop that is left', () => {
  const [first, second, isLong] = run(PROGRAMS[1]!)
  for (const line of [first, second]) expect(JSON.parse(line!).length).toBeGreaterThan(5)
  expect(isLong).toBe('true')
})

test('an answer that satisfies a schema', () => {
  expect(run(PROGRAMS[2]!)[0]).toBe('string')
})

test('the page has no other program', () => expect(PROGRAMS).toHaveLength(3))
