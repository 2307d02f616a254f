/** What is kept of prompts for the next run: the built program, one process after another. */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { extname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { PAGE } from '../../src/backend/kv.ts'
import { loadTokenizer } from '../../src/tokenizer/load-tokenizer.ts'
import { TINY_MODEL } from '../support/models.ts'
import { runHere } from '../support/run-here.ts'
import { type RunOptions, type RunResult, runSpout } from '../support/run-spout.ts'

const folder = mkdtempSync(join(tmpdir(), 'spout-prompts-'))
const cache = join(folder, 'cache')
const prompts = join(cache, 'prompts')
/** Whatever saves anything is kept. */
const ENV = {
  SPOUT_CACHE_DIR: cache,
  SPOUT_NO_PREPARE: '',
  SPOUT_PROMPT_CACHE: '',
  SPOUT_PROMPT_CACHE_MS: '0',
}
/** The whole trial: 8. */
const TOGETHER = Number(process.env.SPOUT_CACHE_TOGETHER ?? 2)
const TEXT = Array.from({ length: 48 }, (_, i) => `There were ${i} birds, and one of them sang. `).join('')
const story = join(folder, 'story.txt')
let ids: Int32Array

const run = (argv: readonly string[], { env, ...options }: RunOptions = {}): Promise<RunResult> => {
  const [command, ...more] = argv
  const rest = ['-n', '6', '--seed', '3']
  const words = command === 'batch' ? [command, ...rest, ...more] : [...rest, ...argv]
  return runHere(words, { ...options, env: { ...ENV, ...env } })
}

/** In a process of its own. */
const apart = (argv: readonly string[]): Promise<RunResult> =>
  runSpout(['-n', '6', '--seed', '3', ...argv], { env: ENV })

// They wait for processes of the lowest priority.
vi.setConfig({ testTimeout: 600_000 })

beforeAll(async () => {
  writeFileSync(story, TEXT)
  ids = (await loadTokenizer(TINY_MODEL.folder)).encode(TEXT)
  expect(ids.length).toBeGreaterThan(3 * PAGE)
  const prepared = await runHere(['models', 'prepare'], { env: ENV })
  expect(prepared.stderr).toBe('')
}, 300_000)
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const clear = (): void => rmSync(prompts, { recursive: true, force: true })

function files(): string[] {
  try {
    return readdirSync(prompts, { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.kv'))
      .map((name) => join(prompts, name))
  } catch {
    return []
  }
}

/** Pages that a run says are kept; 0: none. */
const keptPages = ({ stderr }: RunResult): number =>
  Number(/prompt cache: (\d+) pages? \(.*\) are kept/.exec(stderr)?.[1] ?? 0)

/** Once the process that nobody waits for has written them. */
async function written(count: number): Promise<void> {
  for (let i = 0; files().length < count; i++) {
    expect(i).toBeLessThan(1500)
    await sleep(100)
  }
}

/** Once no process writes there any more: of several that write the same, the last one is later than the pages. */
async function writersGone(): Promise<void> {
  const isWriter = (pid: string): boolean => {
    try {
      return Number(pid) !== process.pid && readFileSync(`/proc/${pid}/environ`).includes(`=${cache}\0`)
    } catch {
      return false
    }
  }
  for (let i = 0; readdirSync('/proc').some((name) => /^\d+$/.test(name) && isWriter(name)); i++) {
    expect(i).toBeLessThan(1500)
    await sleep(100)
  }
}

/** Runs until what it leaves is there. */
async function leave(argv: readonly string[], options?: RunOptions): Promise<RunResult> {
  clear()
  const result = await run([...argv, '-v'], options)
  await written(keptPages(result))
  return result
}

/** Whether the first page of the text lies anywhere below the cache. */
function holdsText(): boolean {
  const bytes = Buffer.from(ids.slice(0, PAGE).buffer)
  return readdirSync(cache, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .some((entry) => readFileSync(join(entry.parentPath, entry.name)).includes(bytes))
}

const cachedTokens = ({ stdout }: RunResult): number =>
  JSON.parse(stdout).usage.prompt_tokens_details.cached_tokens

describe('a text in a file', () => {
  const full = () => Math.floor(ids.length / PAGE)

  test('[cache.reads options.dry-run] is computed once, and the bytes are the same', async () => {
    const first = await leave(['-f', story, 'Who sang?'])
    expect(keptPages(first)).toBe(full())
    const again = await run(['-f', story, '--stats', 'Who sang?'])
    expect(again.stdout).toBe(first.stdout)
    expect(again.stderr).toMatch(/kept from before \(\d+ from disk: [\d.]+ MB in [\d.]+ ms\)/)
    const other = await run(['-f', story, '--json', 'Another question'])
    const fresh = await run(['-f', story, '--json', '--no-prompt-cache', 'Another question'])
    expect(cachedTokens(other)).toBe(full() * PAGE)
    expect(cachedTokens(fresh)).toBe(0)
    expect(JSON.parse(other.stdout).token_ids).toEqual(JSON.parse(fresh.stdout).token_ids)
    const plan = await run(['-f', story, '--dry-run', '--json', 'Who?'])
    expect(JSON.parse(plan.stdout).cached_tokens).toBe(full() * PAGE)
    const samples = await run(['-f', story, '--samples', '2', '--json', 'Who sang?'])
    expect(cachedTokens(samples)).toBe(full() * PAGE)
  })

  test('[cache.command] is shown, pruned and cleared', async () => {
    await leave(['-f', story, 'Who sang?'])
    const env = ENV
    const shown = JSON.parse((await runHere(['cache', '--json'], { env })).stdout)
    expect(shown.models).toMatchObject([{ model: 'spout-tiny (q4)', pages: full() }])
    expect((await runHere(['cache', 'show'], { env })).stdout).toMatch(/spout-tiny \(q4\): \d+ pages/)
    const dry = await runHere(['cache', 'prune', '--keep', '0', '--dry-run'], { env })
    expect(dry.stdout).toMatch(new RegExp(`^would remove ${full()} pages`))
    expect(files()).toHaveLength(full())
    const pruned = await runHere(['cache', 'prune', '--keep', String(shown.bytes / full() / 1e9)], { env })
    expect(pruned.stdout).toMatch(new RegExp(`^removed ${full() - 1} pages`))
    expect((await runHere(['cache', 'clear'], { env })).stdout).toMatch(/^removed 1 page /)
    expect(files()).toEqual([])
    expect(await runHere(['cache', 'show', '--keep', '1'], { env })).toMatchObject({ code: 2 })
    const unknown = await runHere(['cache', 'cleer'], { env })
    expect(unknown).toMatchObject({ code: 2 })
    expect(unknown.stderr).toContain('spout cache clear')
  })

  test('[cache.off] is neither kept nor read where that is not wanted', async () => {
    await leave(['-f', story, 'Who sang?'])
    const before = files()
    for (const off of [['--no-prompt-cache'], ['--prompt-cache', 'off']]) {
      const result = await run([...off, '-v', '--json', '-f', story, 'Who sang?'])
      expect([cachedTokens(result), keptPages(result)]).toEqual([0, 0])
    }
    expect(files()).toEqual(before)
    const both = await run(['--keep-prompt', '--no-prompt-cache', 'a'])
    expect(both).toMatchObject({ code: 2, stdout: '' })
  })
})

describe('[cache.private] what may be kept', () => {
  const full = () => Math.floor(ids.length / PAGE)

  test('a file on stdin, and one of a system message', async () => {
    const result = await leave([], { shell: `spout "$@" < '${story}'` })
    expect(keptPages(result)).toBe(full())
    expect(holdsText()).toBe(true)
    const system = await leave(['--system-file', story, 'Who sang?'])
    expect(keptPages(system)).toBe(full())
  })

  test('no words, no pipe, and nothing behind them', async () => {
    const ways: [string[], RunOptions][] = [
      [['Who?'], { stdin: TEXT }],
      [[TEXT], {}],
      [['-s', TEXT, 'Who?'], {}],
      [['-s', TEXT, '-f', story], {}],
      [['-f', '/dev/stdin', 'Who?'], { shell: `cat '${story}' | spout "$@"` }],
    ]
    const inMemory = '/dev/shm'
    const secret = join(inMemory, `spout-${process.pid}.txt`)
    if (existsSync(inMemory) && statSync(inMemory).dev !== statSync(cache).dev) {
      writeFileSync(secret, TEXT)
      ways.push([['-f', secret, 'Who?'], {}], [[], { shell: `spout "$@" < '${secret}'` }])
    }
    for (const [argv, options] of ways) {
      const result = await leave(argv, options)
      expect([result.code, keptPages(result), holdsText()]).toEqual([0, 0, false])
    }
    rmSync(secret, { force: true })
    const asked = await leave(['--keep-prompt', 'Who?'], { stdin: TEXT })
    expect(keptPages(asked)).toBeGreaterThanOrEqual(full())
    expect(holdsText()).toBe(true)
    const set = await leave(['--prompt-cache', 'all', TEXT])
    expect(keptPages(set)).toBe(full())
  })

  test('no page that words reach into', async () => {
    const begin = Buffer.byteLength(TEXT)
    // The file ends in the middle of a page; the words fill it, and more.
    const result = await leave(['-f', story, TEXT])
    expect(result.code).toBe(0)
    expect(keptPages(result)).toBe(full())
    expect(begin).toBeGreaterThan(0)
  })
})

test('[cache.together] several at once on a cold cache leave one set of pages, and the right answers', async () => {
  clear()
  const argv = ['-v', '-f', story, 'Who sang?']
  const alone = await run([...argv, '--no-prompt-cache'])
  const together = await Promise.all(Array.from({ length: TOGETHER }, () => apart(argv)))
  const pages = Math.floor(ids.length / PAGE)
  for (const result of together) {
    expect(result).toMatchObject({ code: 0, stdout: alone.stdout })
    expect([0, pages]).toContain(keptPages(result))
  }
  await written(pages)
  await writersGone()
  const names = readdirSync(prompts, { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.includes('/'),
  )
  expect(names.map((name) => extname(name)).sort()).toEqual([
    '.json',
    ...new Array<string>(pages).fill('.kv'),
  ])
  expect(cachedTokens(await run(['-f', story, '--json', 'Who sang?']))).toBe(pages * PAGE)
}, 600_000)

test('[cache.batch] what the lines of a batch begin with is kept where it lay in a file', async () => {
  const questions = { stdin: 'Who sang?\nWho did not?\n' }
  const batch = (argv: readonly string[], env = {}) =>
    run(['batch', '--text', '-v', ...argv], { ...questions, env })
  const fresh = await batch(['--system-file', story, '--no-prompt-cache'])
  await writersGone()
  clear()
  expect(keptPages(await batch(['--system', TEXT]))).toBe(0)
  expect(holdsText()).toBe(false)
  const first = await batch(['--system-file', story])
  expect(first).toMatchObject({ code: 0, stdout: fresh.stdout })
  const pages = keptPages(first)
  expect(pages).toBe(Math.floor(ids.length / PAGE))
  await written(pages)
  const again = await batch(['--system-file', story])
  expect(again).toMatchObject({ code: 0, stdout: fresh.stdout })
  expect(keptPages(again)).toBe(0)
  // A single question finds it as well.
  const single = await run(['--system-file', story, '--json', 'Who?'])
  expect(cachedTokens(single)).toBe(pages * PAGE)
  const before = await leave(['batch', '-f', story], questions)
  expect(keptPages(before)).toBe(pages)
  expect(keptPages(await leave(['batch', '--keep-prompt', '--system', TEXT], questions))).toBe(pages)
})

test('[cache.short] a thousandth of a saving is none, and short prompts leave the disk as it was', async () => {
  clear()
  const env = { SPOUT_PROMPT_CACHE_MS: '1e9' }
  const long = await run(['-v', '-f', story, 'Who sang?'], { env })
  expect(keptPages(long)).toBe(0)
  const short = join(folder, 'short.txt')
  for (let i = 0; i < 3; i++) {
    writeFileSync(short, `A short text, number ${i}.`)
    expect(keptPages(await run(['-v', '-f', short, 'Go on']))).toBe(0)
  }
  expect(files()).toEqual([])
})

test('[cache.errors] where nothing can be kept, the answer is as always', async () => {
  const expected = await run(['--no-prompt-cache', '-f', story, 'Who sang?'])
  clear()
  mkdirSync(cache, { recursive: true })
  writeFileSync(prompts, 'a file in its place')
  const result = await run(['-v', '-f', story, 'Who sang?'])
  expect(result).toMatchObject({ code: 0, stdout: expected.stdout })
  expect(result.stderr.match(/^spout: prompt cache: not kept: .*$/gm)).toHaveLength(1)
  const quiet = await run(['-f', story, 'Who sang?'])
  expect(quiet.stderr).not.toContain('prompt cache')
  rmSync(prompts)
})

test('[cache.chat] a conversation that is gone on with reads its new turn only', async () => {
  clear()
  const saved = join(folder, 'saved.json')
  const lines = (...all: string[]): string => all.map((line) => `${line}\n`).join('')
  const chat = (stdin: string, ...argv: string[]) =>
    runHere(['chat', '--raw', '-n', '6', '--seed', '3', '--commands', '--stats', '-v', ...argv], {
      env: ENV,
      stdin,
    })
  const first = await chat(lines(TEXT, 'And then?', `/save ${saved}`))
  expect(first.code).toBe(0)
  const pages = keptPages(first)
  expect(pages).toBeGreaterThanOrEqual(Math.floor(ids.length / PAGE))
  await written(pages)
  const loaded = await chat(lines(`/load ${saved}`, 'Who sang?'))
  expect(loaded.stderr).toContain(`${pages * PAGE} from disk`)
  const off = await chat(lines(`/load ${saved}`, 'Who sang?'), '--no-prompt-cache')
  expect(off.stdout).toBe(loaded.stdout)
  expect(off.stderr).not.toContain('from disk')
})
