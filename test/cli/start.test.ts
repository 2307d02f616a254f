/** What a run loads, and in which order things begin: so that the start does not grow slow unnoticed. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { HOME, ROOT, runSpout, said } from '../support/run-spout.ts'
import { EOS, removeToys, type ToyOptions, toyModel } from '../support/toy-model.ts'

const folder = mkdtempSync(join(tmpdir(), 'spout-start-'))
const script: ToyOptions = { scripts: { a: ['Hello', EOS] } }
const toy = toyModel(script)
const chat = toyModel({ ...script, chatTemplate: '{{ messages[0].content }}' })
afterAll(() => {
  removeToys()
  rmSync(folder, { recursive: true, force: true })
})

const HOOK = join(folder, 'loaded.cjs')
writeFileSync(
  HOOK,
  `process.on('exit', () => require('node:fs').writeFileSync(process.env.LOADED_FILE,
    JSON.stringify({ files: Object.keys(require.cache), builtins: process.moduleLoadList })))`,
)

interface Loaded {
  /** Of others, bundled or not. */
  readonly packages: readonly string[]
  /** Files, of which a bundle is made of many. */
  readonly sources: readonly string[]
  /** Node's own modules. */
  readonly builtins: readonly string[]
}

/** What the program has loaded when it ends. With SPOUT_DEBUG Node itself loads the same files, and knows of them. */
async function loadedBy(name: string, argv: readonly string[]): Promise<Loaded> {
  const env = { LOADED_FILE: join(folder, name), NODE_OPTIONS: `--require ${HOOK}`, SPOUT_DEBUG: '1' }
  expect(await runSpout(argv, { env })).toMatchObject({ code: 0 })
  const { files, builtins } = JSON.parse(readFileSync(env.LOADED_FILE, 'utf8'))
  const sources = (files as string[]).flatMap(sourcesOf)
  const packages = sources.flatMap((path) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1] ?? [])
  return {
    sources,
    packages: [...new Set(packages)].sort(),
    builtins: (builtins as string[]).map((line) => line.replace(/^NativeModule /, '')),
  }
}

/** A file of the bundle is made of others, which its map names; one without a map is the bundler's own. */
function sourcesOf(file: string): string[] {
  if (!file.startsWith(join(ROOT, 'dist/bundle'))) return [file]
  if (!existsSync(`${file}.map`)) return []
  return (JSON.parse(readFileSync(`${file}.map`, 'utf8')) as { sources: string[] }).sources
}

const BINDING = /^@koromix\/koffi-/
const NETWORK = ['http', 'https', 'http2', 'tls', 'internal/deps/undici/undici']

/** Of a run of the model that comes along. */
let plain: Promise<Loaded> | undefined
const loadedByPlain = (): Promise<Loaded> => {
  plain ??= loadedBy('plain', ['--no-stdin', '-n', '2', 'Once'])
  return plain
}

test('a plain run loads commander and koffi, and nothing else of others; no network', async () => {
  const { packages, builtins } = await loadedByPlain()
  expect(packages.filter((name) => !BINDING.test(name))).toEqual(['commander', 'koffi'])
  expect(builtins.filter((name) => NETWORK.includes(name))).toEqual([])
})

test('what reads templates is loaded for a model that has one, and for no other', async () => {
  const reads = ({ sources }: Loaded) => sources.some((path) => path.endsWith('/jinja.ts'))
  expect(reads(await loadedBy('chat', ['-m', chat, '--no-stdin', '-n', '1', 'a']))).toBe(true)
  expect(reads(await loadedByPlain())).toBe(false)
})

test.each(['--version', '--help'])('%s loads commander alone', async (flag) => {
  const { packages, builtins } = await loadedBy(flag, [flag])
  expect(packages).toEqual(['commander'])
  expect(builtins.filter((name) => NETWORK.includes(name))).toEqual([])
})

test('the model loads while stdin is still read', async () => {
  const run = runSpout(['-m', toy, '--trace'], {
    stdin: 'open',
    onStart(child) {
      void said(child.stderr, 'loaded').then(() => child.stdin?.end('a'))
    },
  })
  expect(await run).toMatchObject({ code: 0, stdout: 'Hello\n' })
})

test('a signal ends a run that reads and loads', async () => {
  const slow = toyModel({ ...script, products: 40 })
  const run = runSpout(['-m', slow, '--verbose'], {
    stdin: 'open',
    onStart(child) {
      void said(child.stderr, 'dtype').then(() => child.kill('SIGINT'))
    },
  })
  expect(await run).toMatchObject({ signal: 'SIGINT', stdout: '' })
})

test('the fault of the prompt is told before that of the model', async () => {
  expect(await runSpout(['-m', join(HOME, 'nowhere')], { stdin: '' })).toMatchObject({ code: 65, stdout: '' })
})

test('nothing is fetched for a prompt that is refused', async () => {
  let asked = 0
  const hub = createServer((_, response) => {
    asked++
    response.writeHead(404).end()
  })
  await new Promise<void>((done) => hub.listen(0, '127.0.0.1', done))
  const { port } = hub.address() as AddressInfo
  const env = {
    HF_ENDPOINT: `http://127.0.0.1:${port}`,
    HF_HUB_OFFLINE: '0',
    HF_HUB_CACHE: join(folder, 'hub'),
  }
  try {
    expect(await runSpout(['-m', 'some/model'], { stdin: '', env })).toMatchObject({ code: 65 })
    expect(asked).toBe(0)
    expect((await runSpout(['-m', 'some/model'], { stdin: 'a', env })).code).not.toBe(0)
    expect(asked).toBeGreaterThan(0)
  } finally {
    hub.close()
  }
})
