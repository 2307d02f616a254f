import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { storeGraph } from '../../src/graph-passes/graph-store.ts'

const folder = (): string => mkdtempSync(join(tmpdir(), 'spout-graphs-'))
const bytes = new TextEncoder().encode('a graph')

test('the same bytes are the same file, written once', () => {
  const cache = folder()
  const path = storeGraph(bytes, cache)!
  expect(readFileSync(path)).toEqual(Buffer.from(bytes))
  expect(storeGraph(bytes.slice(), cache)).toBe(path)
  expect(storeGraph(new TextEncoder().encode('another'), cache)).not.toBe(path)
  expect(readdirSync(join(cache, 'graphs'))).toHaveLength(2)
})

test('a file cut short or changed is written again', () => {
  const cache = folder()
  const path = storeGraph(bytes, cache)!
  for (const damage of ['a gr', 'a grapX', '']) {
    writeFileSync(path, damage)
    expect(storeGraph(bytes, cache)).toBe(path)
    expect(readFileSync(path, 'utf8')).toBe('a graph')
  }
})

test('a cache that cannot be written is no error', () => {
  const cache = join(folder(), 'file')
  writeFileSync(cache, 'not a folder')
  expect(storeGraph(bytes, cache)).toBeUndefined()
})
