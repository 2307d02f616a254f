import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'

// The faults that finding, fetching and keeping a model can meet have numbers; every number is the title of a test.

const range = (letter: string, last: number) => Array.from({ length: last }, (_, i) => `${letter}${i + 1}`)
const NUMBERS = [...range('H', 17), ...range('C', 14), 'A6', 'A7', 'A8', 'A10', 'M1', 'M2', 'M6', 'M7']

const folders = ['hub', 'hub-cache', 'model'].map((room) => join(import.meta.dirname, '..', room))
const files = folders.flatMap((folder) => readdirSync(folder).map((name) => join(folder, name)))
const titles = files
  .filter((file) => file.endsWith('.test.ts') && !file.endsWith('catalogue.test.ts'))
  .flatMap((file) => readFileSync(file, 'utf8').match(/^\s*['"`]?.*\b[HCAM]\d+\b.*: .*/gm) ?? [])

it.each(NUMBERS)('%s has a test', (number) => {
  expect(titles.filter((title) => new RegExp(`['"\`].*\\b${number}\\b.*:`).test(title))).not.toEqual([])
})
