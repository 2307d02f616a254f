/**
 * Files of pages that are not what was written: never a wrong answer, never a failure, and gone afterwards. And many processes that
 * write the same at once leave one set of files. SPOUT_CACHE_DAMAGES makes more of them (the whole trial: 1,000).
 */
import { spawn } from 'node:child_process'
import {
  chmodSync,
  closeSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { PAGE } from '../../src/backend/kv.ts'
import {
  aboutOf,
  aboutPath,
  allPages,
  pagesIn,
  prunePages,
  storedFolders,
  surplusPages,
} from '../../src/prefix-cache/stored-pages.ts'
import { collectingSink } from '../support/collecting-sink.ts'
import { SPOUT } from '../support/run-spout.ts'
import { about, cacheFolder, leave, openStored, rawRequest } from '../support/stored-prompts.ts'

const DAMAGES = Number(process.env.SPOUT_CACHE_DAMAGES ?? 100)
const MOST_MS = 100_000 + 5000 * DAMAGES
const REQUEST = rawRequest([...'abcdef'].map((letter) => letter.repeat(100)).join(''))
const PAGES = 4

/** An answer of a process that begins with what is in the folder. */
async function answer(folder: string) {
  const { engine } = openStored(folder)
  const sink = collectingSink()
  const result = await engine.generate(REQUEST, { sink })
  await engine.dispose()
  return { text: sink.text, kept: result.keptTokens / PAGE }
}

async function filled() {
  const folder = cacheFolder()
  const { engine, store } = openStored(folder)
  const sink = collectingSink()
  await engine.generate(REQUEST, { sink })
  expect(await leave(engine, [REQUEST])).toBe(PAGES)
  await engine.dispose()
  const names = [...store.keysOf(Int32Array.from(engineIds()))].map(({ key, parent }) => {
    return `${key.toString('hex', 0, 16)}.${parent.toString('hex', 0, 16)}.kv`
  })
  return { folder, pages: names.map((name) => join(store.folder, name)), text: sink.text }
}

/** Bytes are ids. */
const engineIds = (): Uint8Array => new TextEncoder().encode(REQUEST.text)

type Damage = (path: string, at: number, other: string) => void
const DAMAGE: Readonly<Record<string, Damage>> = {
  flip: (path, at) => {
    const bytes = readFileSync(path)
    bytes[at % bytes.length]! ^= 1 << (at % 8)
    writeFileSync(path, bytes)
  },
  truncate: (path, at) => truncateSync(path, at % readFileSync(path).length),
  extend: (path, at) => writeFileSync(path, Buffer.concat([readFileSync(path), Buffer.alloc(1 + (at % 99))])),
  swap: (path, _, other) => {
    renameSync(path, `${path}.x`)
    renameSync(other, path)
    renameSync(`${path}.x`, other)
  },
  copy: (path, _, other) => writeFileSync(path, readFileSync(other)),
  link: (path, _, other) => {
    rmSync(path)
    symlinkSync(other, path)
  },
  empty: (path) => writeFileSync(path, ''),
}

test(
  'flips, truncations, swaps: an answer is as always, and what was damaged is gone',
  async () => {
    const { folder, pages, text } = await filled()
    const whole = pages.map((path) => readFileSync(path))
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...Object.keys(DAMAGE)),
        fc.nat(PAGES - 1),
        fc.integer({ min: 1, max: PAGES - 1 }),
        fc.nat(1 << 20),
        async (how, index, distance, at) => {
          for (const [i, path] of pages.entries()) {
            rmSync(path, { force: true })
            writeFileSync(path, whole[i]!, { mode: 0o600 })
          }
          const other = (index + distance) % PAGES
          DAMAGE[how]!(pages[index]!, at, pages[other]!)
          // Swapped, the nearer of them is met first.
          const first = how === 'swap' ? Math.min(index, other) : index
          expect(await answer(folder)).toEqual({ text, kept: first })
          expect(existsSync(pages[first]!)).toBe(false)
        },
      ),
      { numRuns: DAMAGES },
    )
  },
  MOST_MS,
)

test('a folder in the place of a page, and a file in the place of the folder, are a miss', async () => {
  const { folder, pages, text } = await filled()
  rmSync(pages[1]!)
  mkdirSync(pages[1]!)
  expect(await answer(folder)).toEqual({ text, kept: 1 })
  const [root] = storedFolders(folder)
  rmSync(root!, { recursive: true })
  writeFileSync(root!, '')
  expect(await answer(folder)).toEqual({ text, kept: 0 })
})

test('what others can write to is not read', async () => {
  const { folder, text } = await filled()
  chmodSync(storedFolders(folder)[0]!, 0o777)
  expect(await answer(folder)).toEqual({ text, kept: 0 })
})

test('eight processes with the same pages leave one set of files', async () => {
  const folder = cacheFolder()
  const { engine, store } = openStored(folder)
  const sink = collectingSink()
  await engine.generate(REQUEST, { sink })
  const handed = await Promise.all(
    Array.from({ length: 8 }, () => engine.handOverPrompt!([REQUEST], { msPerToken: 1e9 })),
  )
  const codes = await Promise.all(
    handed.map((given) => {
      const descriptor = given!.descriptor!
      const child = spawn(process.execPath, [SPOUT, 'cache', 'write'], {
        stdio: ['ignore', 'ignore', 'ignore', descriptor],
      })
      closeSync(descriptor)
      return new Promise((resolve) => child.on('close', resolve))
    }),
  )
  expect(codes).toEqual(Array(8).fill(0))
  expect(readdirSync(store.folder).sort()).toEqual([...namesOf(folder), 'about.json'].sort())
  expect(namesOf(folder)).toHaveLength(PAGES)
  expect(await answer(folder)).toEqual({ text: sink.text, kept: PAGES })
})

const namesOf = (folder: string): string[] => allPages(folder).map(({ name }) => name)

test('a page lies on disk with its ids', async () => {
  const { pages } = await filled()
  const ids = Int32Array.from(engineIds().subarray(0, PAGE))
  expect(readFileSync(pages[0]!).includes(Buffer.from(ids.buffer))).toBe(true)
})

test('the least used leaf goes first, and a page counts as used when one below it was', async () => {
  const { folder, pages } = await filled()
  // A second text that shares two pages.
  const fork = rawRequest(`${REQUEST.text.slice(0, 2 * PAGE + 10)}${'z'.repeat(200)}`)
  const { engine } = openStored(folder)
  await engine.generate(fork, { sink: collectingSink() })
  expect(await leave(engine, [fork])).toBe(1)
  const forked = allPages(folder).find(({ folder, name }) => !pages.includes(join(folder, name)))!
  const bytes = forked.bytes
  for (const [i, path] of pages.entries()) utimesSync(path, 1000 + i, 1000 + i)
  utimesSync(join(forked.folder, forked.name), 5000, 5000)
  const order = surplusPages(folder, 0).map(({ folder, name }) => join(folder, name))
  expect(order.slice(0, 2)).toEqual([pages[3], pages[2]])
  expect(order.slice(2)).toEqual([join(forked.folder, forked.name), pages[1], pages[0]])
  prunePages(folder, 3 * bytes)
  expect(allPages(folder)).toHaveLength(3)
  expect((await answer(folder)).kept).toBe(2)
})

test('pages of a model that is gone, and of another version, go first', async () => {
  const { folder } = await filled()
  const [root] = storedFolders(folder)
  expect(aboutOf(root!)).toEqual(about)
  writeFileSync(aboutPath(root!), JSON.stringify({ ...about, layout: 0 }))
  expect(aboutOf(root!)).toBeUndefined()
  expect(prunePages(folder, Number.POSITIVE_INFINITY)).toHaveLength(PAGES)
  expect(pagesIn(root!)).toEqual([])
  expect(existsSync(root!)).toBe(false)
})
