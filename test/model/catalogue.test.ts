import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'

// The faults that finding, fetching and keeping a model can meet have numbers; every number is the title of a test.

const range = (letter: string, last: number) => Array.from({ length: last }, (_, i) => `${letter}${i + 1}`)
const NUMBERS = [...range('H', 17), ...range('C', 14), 'A6', 'A7', 'A8', 'A10', 'M1', 'M2', 'M6', 'M7']

const folder = dirname(fileURLToPath(import.meta.url))
const titles = readdirSync(folder)
  .filter((name) => name.endsWith('.test.ts') && name !== 'catalogue.test.ts')
  .flatMap(
    (name) => readFileSync(join(folder, name), 'utf8').match(/^\s*['"`]?.*\b[HCAM]\d+\b.*: .*/gm) ?? [],
  )

it.each(NUMBERS)('%s has a test', (number) => {
  expect(titles.filter((title) => new RegExp(`['"\`].*\\b${number}\\b.*:`).test(title))).not.toEqual([])
})
