import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

test('the faults that have names are still ones of the sources', () => {
  const named: { name: string; file: string; find: string }[] = JSON.parse(
    readFileSync('test/mutants/named.json', 'utf8'),
  )
  const stale = named.filter(({ file, find }) => readFileSync(file, 'utf8').split(find).length !== 2)
  expect(stale.map(({ name }) => name)).toEqual([])
})
