import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'

interface Bundle {
  load(name: string): Record<string, () => unknown>
  writeCode(): void
}
const { openBundle } = createRequire(import.meta.url)('../../bin/bundle.js') as {
  openBundle(folder: string): Bundle
}

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'spout-code-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

/** @param second of its last change, whole: what is set is then what is read */
function write(name: string, text: string, second: number): void {
  writeFileSync(join(folder, name), text)
  utimesSync(join(folder, name), second, second)
}

function record(): void {
  const bundle = openBundle(folder)
  bundle.load('start.cjs').run!()
  bundle.writeCode()
}

const run = () => openBundle(folder).load('start.cjs').run!()
const answering = (text: string) => `exports.run = () => '${text}'`

test('the code of a file is taken while the file is the same, and not when it has changed', () => {
  write('start.cjs', answering('one'), 1000)
  record()
  write('start.cjs', answering('two'), 1000)
  // Nothing tells it from the file that the code is of: so it is the code that runs.
  expect(run()).toBe('one')
  write('start.cjs', answering('two'), 1001)
  expect(run()).toBe('two')
  write('start.cjs', answering('three'), 1000)
  expect(run()).toBe('three')
})

test('files load each other as with require: once, in circles, and packages from outside', () => {
  write(
    'start.cjs',
    `exports.early = 1; const b = require('./b.cjs'); const c = require('./c.cjs')
exports.run = () => [b.seen(), b === c.b, typeof require('node:path').join, module.exports === exports, __filename]`,
    1000,
  )
  write('b.cjs', `const start = require('./start.cjs'); exports.seen = () => start.early`, 1000)
  write('c.cjs', `exports.b = require('./b.cjs')`, 1000)
  const wanted = [1, true, 'function', true, join(folder, 'start.cjs')]
  expect(run()).toEqual(wanted)
  record()
  expect(run()).toEqual(wanted)
})

test('runs add to what is there', () => {
  write('start.cjs', `exports.run = () => 'start'`, 1000)
  write('other.cjs', `exports.run = () => 'other'`, 1000)
  record()
  const bundle = openBundle(folder)
  bundle.load('other.cjs').run!()
  bundle.writeCode()
  const { files } = JSON.parse(readFileSync(join(folder, 'code.bin'), 'latin1').slice(0, 16384))
  expect(Object.keys(files).sort()).toEqual(['other.cjs', 'start.cjs'])
})

test.each([
  ['cut off in the code', (file: string) => truncateSync(file, 16384 + 100)],
  ['cut off in its index', (file: string) => truncateSync(file, 50)],
  ['empty', (file: string) => truncateSync(file, 0)],
  ['no such file', (file: string) => writeFileSync(file, 'nothing of the kind')],
  ['of another Node', (file: string) => replaceIn(file, process.version, process.version.replace('v', 'w'))],
])('code that is %s is not used', (_, spoil) => {
  write('start.cjs', answering('one'), 1000)
  record()
  write('start.cjs', answering('two'), 1000)
  spoil(join(folder, 'code.bin'))
  expect(run()).toBe('two')
})

function replaceIn(file: string, text: string, by: string): void {
  writeFileSync(file, readFileSync(file, 'latin1').replace(text, by), 'latin1')
}

test('what a stack says of a place is where it is in the file', () => {
  write('start.cjs', `exports.run = () => { throw new Error('here') }`, 1000)
  const stackOf = () => {
    try {
      return run()
    } catch (error) {
      return String((error as Error).stack)
    }
  }
  expect(stackOf()).toContain(`${join(folder, 'start.cjs')}:1:29`)
  openBundle(folder).load('start.cjs')
  expect(stackOf()).toContain(`${join(folder, 'start.cjs')}:1:29`)
})

test('a file that fails is loaded again, and fails again', () => {
  write('start.cjs', `throw new Error('no')`, 1000)
  const bundle = openBundle(folder)
  expect(() => bundle.load('start.cjs')).toThrow('no')
  expect(() => bundle.load('start.cjs')).toThrow('no')
})

test('the built program is there with its code', () => {
  const built = new URL('../../dist/bundle/', import.meta.url)
  const index = JSON.parse(readFileSync(new URL('code.bin', built), 'latin1').slice(0, 16384))
  expect(Object.keys(index.files)).toEqual(
    expect.arrayContaining(['start.cjs', 'open-engine.cjs', 'structure.cjs']),
  )
  for (const [name, { stamp }] of Object.entries<{ stamp: string }>(index.files)) {
    const { size, mtimeMs } = statSync(new URL(name, built))
    expect([name, stamp]).toEqual([name, `${size} ${mtimeMs}`])
  }
})

test('no built file has an import(): a script whose code was compiled before fails there', () => {
  const built = join(import.meta.dirname, '../../dist/bundle')
  const files = readdirSync(built).filter((name) => name.endsWith('.cjs'))
  expect(files).toContain('start.cjs')
  const hasImport = (name: string): boolean =>
    /(?<![#\w.])import\(/.test(readFileSync(join(built, name), 'utf8'))
  expect(files.filter(hasImport)).toEqual([])
})
