/**
 * Every line of docs/contract.md is named by a test, and no test names a line that is not there. That these tests ran and passed,
 * and that the program was given every option, is checked at the end of a whole run: test/support/contract-report.ts.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { promises } from '../support/contract-report.ts'
import { ROOT } from '../support/run-spout.ts'

const NAME = /[A-Z]\d{1,2}|[a-z]+\.[\w-]+/
const promised = new Set(promises(readFileSync(join(ROOT, 'docs/contract.md'), 'utf8')))
const sources = readdirSync(import.meta.dirname)
  .filter((file) => file.endsWith('.test.ts') && file !== 'contract.test.ts')
  .map((file) => readFileSync(join(import.meta.dirname, file), 'utf8'))
  .join('\n')

/** In titles `[A1 exit.2] ...`, and in rows `proves: ['A1', 'exit.2']`. */
const named = new Set(
  [
    ...Array.from(
      sources.matchAll(new RegExp(`[\`'"]\\[((?:${NAME.source} ?)+)\\]`, 'g')),
      ([, names]) => names!,
    ),
    ...Array.from(sources.matchAll(/proves: \[([^\]]*)\]/g), ([, list]) => list!.replace(/[',]/g, ' ')),
    ...Array.from(sources.matchAll(/\b(?:row|refused)\([^[\n]*\[([^\]]*)\]/g), ([, list]) =>
      list!.replace(/[',]/g, ' '),
    ),
  ].flatMap((names) => names.split(' ').filter(Boolean)),
)

test('every promise has a proof', () => {
  expect(promised.size).toBeGreaterThan(80)
  expect([...promised].filter((name) => !named.has(name))).toEqual([])
})

test('every proof is of a promise', () => {
  expect([...named].filter((name) => !promised.has(name))).toEqual([])
})
