/** What is prepared counts only while it is whole, of this very model and for this machine; else it is made anew. */
import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { loadSession } from '../../src/backend/onnx/load-session.ts'
import {
  encodeManifest,
  findPrepared,
  MANIFEST_NAME,
  type Manifest,
  parseManifest,
  preparedFolder,
} from '../../src/backend/onnx/prepared/prepared-model.ts'
import { listPrepared, prunePrepared } from '../../src/backend/onnx/prepared/prepared-store.ts'
import { equalRows, probe } from '../../src/backend/onnx/prepared/probe.ts'
import { kernelChoice } from '../../src/kernels/isa.ts'
import type { MatmulShape } from '../../src/kernels/matmul/matmul-shape.ts'
import { loadModelConfig } from '../../src/model/model-config.ts'
import { openCApiRuntime } from '../../src/onnx-runtime/c-session.ts'
import { openBackend, openEngine } from '../../src/open/open-engine.ts'
import { prepareModel } from '../../src/open/prepare-model.ts'
import { acquireLock } from '../../src/system/file-lock.ts'
import { sameContent } from '../../src/system/file-state.ts'
import { goldenFiles } from '../support/golden-models.ts'
import { GOLDEN, TINY_MODEL } from '../support/models.ts'

const root = mkdtempSync(join(tmpdir(), 'spout-prepare-'))
const cacheFolder = join(root, 'cache')
const model = join(root, 'model')
const options = { model, dtype: 'q4', offline: true } as const
const before = process.env.SPOUT_CACHE_DIR

beforeAll(() => {
  cpSync(TINY_MODEL.folder, model, { recursive: true })
  process.env.SPOUT_CACHE_DIR = cacheFolder
})
afterAll(() => {
  if (before === undefined) delete process.env.SPOUT_CACHE_DIR
  else process.env.SPOUT_CACHE_DIR = before
  rmSync(root, { recursive: true, force: true })
})

async function found() {
  const runtimeVersion = await openCApiRuntime().version()
  return findPrepared(cacheFolder, {
    onnxPath: join(model, 'onnx/model_q4.onnx'),
    precise: false,
    runtimeVersion,
  })
}

async function answers(prepare: boolean) {
  const { backend, model: facts } = await openBackend({ ...options, prepare })
  const rows = await probe(backend)
  await backend.dispose()
  return { rows, mayPrepare: facts.mayPrepare }
}

const plainRows = new Map<string, Awaited<ReturnType<typeof answers>>['rows']>()

/** What the model answers unprepared, asked once of each graph and each config.json. */
async function rowsUnprepared() {
  const files = ['onnx/model_q4.onnx', 'config.json'].map((name) => readFileSync(join(model, name), 'latin1'))
  const key = files.join('\n')
  if (!plainRows.has(key)) plainRows.set(key, (await answers(false)).rows)
  return plainRows.get(key)!
}

test('a model is prepared once, answers the same, and is not prepared again', async () => {
  const plain = await answers(false)
  expect(plain.mayPrepare).toBe(false)
  expect((await answers(true)).mayPrepare).toBe(true)
  // At once, by two: one does it, the other waits for it.
  const outcomes = await Promise.all([prepareModel(options), prepareModel(options)])
  expect(outcomes.map(({ outcome }) => outcome).sort()).toEqual(['prepared', 'unchanged'])
  const prepared = await answers(true)
  expect((await found())?.manifest.refused).toBeUndefined()
  expect(equalRows(plain.rows, prepared.rows)).toBe(true)
  expect(listPrepared(cacheFolder)).toHaveLength(1)
  expect(readdirSync(join(cacheFolder, 'prepared')).filter((name) => /[.]/.test(name))).toEqual([])
})

test('who need not wait leaves it to the one who is at it', async () => {
  const runtimeVersion = await openCApiRuntime().version()
  const key = { onnxPath: join(model, 'onnx/model_q4.onnx'), precise: false, runtimeVersion }
  const patience = { pollMs: 1, lockStaleMs: 60_000, noticeMs: 60_000 }
  const lock = await acquireLock(`${preparedFolder(cacheFolder, key)}.lock`, {
    ...{ patience, isDone: () => false, onWait: () => undefined },
  })
  const again = { ...options, again: true, ifFree: true }
  await expect(prepareModel(again)).rejects.toMatchObject({ code: 'try-later' })
  lock!.release()
  expect((await prepareModel(again)).outcome).toBe('prepared')
})

/** Of weights that our own matmuls read. */
const DAMAGED_MATMULS: readonly [string, (folder: string) => void][] = [
  ['a flipped byte in our matmuls', (folder) => flipAndRestoreTimes(join(folder, 'model.onnx.matmuls'))],
  ['shorter matmuls', (folder) => truncateSync(join(folder, 'model.onnx.matmuls'), 100_000)],
  ['no matmuls', (folder) => rmSync(join(folder, 'model.onnx.matmuls'))],
]

test.runIf(kernelChoice().isa !== undefined)(
  'every 4-bit matmul is our own, prepared or not (needs AVX2)',
  async () => {
    const sizes = ['192x2560', 'swiglu 192x512', '192x320', '192x192', '512x192'].sort()
    const named = (shapes: readonly MatmulShape[] = []): string[] =>
      [...new Set(shapes.map(({ k, n, isSwiglu }) => `${isSwiglu ? 'swiglu ' : ''}${k}x${n}`))].sort()
    const loaded = await loadSession(
      openCApiRuntime(),
      join(model, 'onnx/model_q4.onnx'),
      loadModelConfig(model),
      {
        threads: 1,
        spinning: false,
      },
    )
    expect(named(loaded.operators?.matmuls)).toEqual(sizes)
    await loaded.dispose()
    await prepareModel(options)
    expect(named((await found())!.manifest.operators!.matmuls)).toEqual(sizes)
  },
)

describe('what is wrong with it is seen, and it is made anew', () => {
  beforeEach(async () => {
    if ((await found()) === undefined) await prepareModel(options)
  })

  const damages: readonly [string, (folder: string) => void][] = [
    ['a flipped byte, at the old time', (folder) => flipAndRestoreTimes(join(folder, 'model.onnx.data'))],
    ['a flipped byte in the graph', (folder) => flipAndRestoreTimes(join(folder, 'model.onnx'))],
    ['a shorter file', (folder) => truncateSync(join(folder, 'model.onnx.data'), 100_000)],
    ...(kernelChoice().isa !== undefined ? DAMAGED_MATMULS : []),
    ['a missing file', (folder) => rmSync(join(folder, 'model.onnx'))],
    ['a manifest that is none', (folder) => writeFileSync(join(folder, MANIFEST_NAME), '{"format":')],
    ['an empty manifest', (folder) => writeFileSync(join(folder, MANIFEST_NAME), '{}')],
    ['another processor', (folder) => changeManifest(folder, { processor: '0123456789abcdef' })],
    ['another runtime', (folder) => changeManifest(folder, { runtimeVersion: '1.29.0' })],
    ['an older format', (folder) => changeManifest(folder, { format: 0 })],
    ['a folder that others may write to', (folder) => chmodSync(folder, 0o777)],
    ['a pipe in the place of the manifest', (folder) => plantPipe(join(folder, MANIFEST_NAME))],
    [
      'a manifest without its hash',
      (folder) => rewrite(folder, (text) => text.replace(/"sha256":"\w+",/, '')),
    ],
    ['operators there is no code for', (folder) => changeManifest(folder, { operators: HOSTILE })],
    ['a genai_config.json that was not there', () => writeFileSync(join(model, 'genai_config.json'), '{}')],
    ['a changed config.json', () => append(join(model, 'config.json'), '\n')],
    ['a changed graph', () => flipAndRestoreTimes(join(model, 'onnx/model_q4.onnx'))],
  ]
  test.each(damages)('%s', async (what, damage) => {
    const { folder } = (await found())!
    damage(folder)
    expect(await found()).toBeUndefined()
    rmSync(join(model, 'genai_config.json'), { force: true })
    if (what.startsWith('a genai')) return expect(await found()).toBeDefined()
    const { rows, mayPrepare } = await answers(true)
    expect(mayPrepare).toBe(true)
    expect(equalRows(rows, await rowsUnprepared())).toBe(true)
    expect((await prepareModel(options)).outcome, what).toBe('prepared')
    expect(await found()).toBeDefined()
  })

  test('times alone change nothing', async () => {
    const { folder } = (await found())!
    const past = new Date('2020-01-01')
    for (const path of [join(folder, 'model.onnx'), join(model, 'config.json')]) utimesSync(path, past, past)
    const again = (await found())!
    expect(again).toBeDefined()
    // With the times of now it need not be hashed again.
    const { files } = JSON.parse(readFileSync(join(folder, MANIFEST_NAME), 'utf8')) as Manifest
    expect(files.every((state) => sameContent(state, folder) === state)).toBe(true)
  })

  test('any bit of the manifest, flipped', async () => {
    const bytes = readFileSync(join((await found())!.folder, MANIFEST_NAME))
    expect(parseManifest(bytes.toString())).toMatchObject({ runtimeVersion: expect.any(String) })
    const believed: number[] = []
    for (let bit = 0; bit < 8 * bytes.length; bit++) {
      bytes[bit >> 3]! ^= 1 << (bit & 7)
      try {
        parseManifest(bytes.toString())
        believed.push(bit)
      } catch {
        // As it should be.
      }
      bytes[bit >> 3]! ^= 1 << (bit & 7)
    }
    expect(believed).toEqual([])
  })

  test('what was prepared of another model, whole, in the place of this one', async () => {
    const { folder } = (await found())!
    const other = join(root, 'other')
    cpSync(model, other, { recursive: true })
    append(join(other, 'config.json'), '\n')
    const { prepared } = await prepareModel({ ...options, model: other })
    rmSync(folder, { recursive: true })
    cpSync(prepared.folder, folder, { recursive: true, preserveTimestamps: true })
    rmSync(prepared.folder, { recursive: true })
    expect(await found()).toBeUndefined()
    expect(equalRows((await answers(true)).rows, await rowsUnprepared())).toBe(true)
  })

  test('one graph under two names is two models', async () => {
    const twin = join(root, 'twin')
    cpSync(model, twin, { recursive: true })
    const path = join(twin, 'onnx/model_q4.onnx')
    rmSync(path)
    symlinkSync(join(model, 'onnx/model_q4.onnx'), path)
    const runtimeVersion = await openCApiRuntime().version()
    expect(findPrepared(cacheFolder, { onnxPath: path, precise: false, runtimeVersion })).toBeUndefined()
  })
})

test('prune removes what was used longest ago, and what was never finished', async () => {
  await prepareModel(options)
  await prepareModel({ ...options, dtype: 'fp32' })
  const [newest, oldest] = listPrepared(cacheFolder)
  expect(prunePrepared(cacheFolder, newest!.bytes + oldest!.bytes)).toEqual([])
  const unfinished = join(cacheFolder, 'prepared', 'abc.1.def')
  cpSync(newest!.folder, unfinished, { recursive: true })
  rmSync(join(unfinished, MANIFEST_NAME))
  utimesSync(unfinished, new Date('2020-01-01'), new Date('2020-01-01'))
  const removed = prunePrepared(cacheFolder, newest!.bytes).map(({ folder }) => folder)
  expect(removed.sort()).toEqual([oldest!.folder, unfinished].sort())
  expect([newest!.folder, oldest!.folder, unfinished].map((path) => existsSync(path))).toEqual([
    true,
    false,
    false,
  ])
  prunePrepared(cacheFolder, 0)
  expect(listPrepared(cacheFolder)).toEqual([])
})

test('a cache that cannot be written is said, and the model answers all the same', async () => {
  const file = join(root, 'a-file')
  writeFileSync(file, '')
  process.env.SPOUT_CACHE_DIR = join(file, 'below')
  try {
    await expect(prepareModel(options)).rejects.toMatchObject({ code: 'cache', exitCode: 73 })
    expect((await answers(true)).rows.length).toBeGreaterThan(3)
  } finally {
    process.env.SPOUT_CACHE_DIR = cacheFolder
  }
})

const merged = goldenFiles().find(({ file }) => file.includes('merged'))
test.skipIf(merged === undefined)(
  'what cannot be prepared is noted, and not tried again (needs ../shared/data)',
  async () => {
    const copy = join(root, 'merged')
    cpSync(merged!.folder, copy, { recursive: true })
    cpSync(merged!.path, join(copy, 'onnx/model.onnx'))
    cpSync(join(GOLDEN, 'tokenizers/byte-level/tokenizer.json'), join(copy, 'tokenizer.json'))
    const both = { model: copy, dtype: 'fp32', offline: true } as const
    const first = await prepareModel(both)
    expect(first).toMatchObject({ outcome: 'refused', reason: /not unique/ })
    expect((await prepareModel(both)).outcome).toBe('refused')
    const { backend, model: facts } = await openBackend(both)
    await backend.dispose()
    expect(facts.mayPrepare).toBe(false)
  },
)

function flipAndRestoreTimes(path: string): void {
  const { atime, mtime } = statSync(path)
  const bytes = readFileSync(path)
  bytes[bytes.length >> 1]! ^= 1
  writeFileSync(path, bytes)
  utimesSync(path, atime, mtime)
}

/** A matmul whose code would store beyond its stack frame. */
const HOSTILE = {
  matmuls: [],
  norms: [],
  attentions: [{ heads: 1, kvHeads: 1, headDim: 1024, scale: 1, isPacked: false, isRotated: false }],
}

/** With a hash that is right. */
function changeManifest(folder: string, change: object): void {
  rewrite(folder, (text) => encodeManifest({ ...parseManifest(text), ...change }))
}

function rewrite(folder: string, change: (text: string) => string): void {
  const path = join(folder, MANIFEST_NAME)
  writeFileSync(path, change(readFileSync(path, 'utf8')))
}

function plantPipe(path: string): void {
  rmSync(path)
  execFileSync('mkfifo', [path])
}

function append(path: string, text: string): void {
  writeFileSync(path, readFileSync(path, 'utf8') + text)
}

test('of a cache whose weights are not what their name says nothing is prepared, and that is told', async () => {
  // A blob of the hub is called by the hash of its content; a byte of this one's weights has changed since.
  const hub = join(root, 'hub')
  const folder = join(hub, 'models--org--tiny')
  const snapshot = join(folder, 'snapshots/0123456789abcdef0123456789abcdef01234567')
  cpSync(TINY_MODEL.folder, snapshot, { recursive: true })
  const graph = join(snapshot, 'onnx/model_q4.onnx')
  const blob = join(folder, 'blobs', 'ab'.repeat(32))
  mkdirSync(join(folder, 'blobs'))
  renameSync(graph, blob)
  symlinkSync(blob, graph)
  const asked = {
    model: `org/tiny@${basename(snapshot)}`,
    cacheDir: hub,
    dtype: 'q4',
    offline: true,
  } as const
  const { outcome, reason } = await prepareModel(asked)
  expect({ outcome, reason }).toEqual({
    outcome: 'refused',
    reason: 'cache is corrupt: model_q4.onnx; spout models pull --repair org/tiny',
  })
  const warnings: string[] = []
  const note = (text: string, level: string) => {
    if (level === 'warning') warnings.push(text)
  }
  const engine = await openEngine({ ...asked, note })
  await engine.dispose()
  expect(warnings).toEqual([reason])
})
