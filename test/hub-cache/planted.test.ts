import { execFileSync } from 'node:child_process'
import {
  chownSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { removeModel } from '../../src/hub-cache/remove-model.ts'
import { newIdentity } from '../../src/system/process-identity.ts'
import { etagOf, FakeHub, type FakeRepo } from '../support/fake-hub.ts'
import { COMMIT, modelRepo, pull, REPO, temporaryFolder, WEIGHTS } from '../support/model-repo.ts'

// A cache that others can write to: what they have put there in the place of our files is neither written through, waited
// for nor copied. SPOUT_PLANT_ROUNDS and SPOUT_PLANT_SEED: see planted-kills.test.ts.

const DATA = 'onnx/model_q4.onnx_data'
const isRoot = process.geteuid?.() === 0
const NOBODY = 65534

let hub: FakeHub
let root: string
let outside: string
let repo: FakeRepo
let etag: string
beforeEach(async () => {
  hub = await FakeHub.start()
  repo = modelRepo()
  hub.repos.set(REPO, repo)
  etag = etagOf({ content: repo.files[DATA] as Buffer })
  root = temporaryFolder()
  outside = temporaryFolder()
  writeFileSync(join(outside, 'precious'), PRECIOUS)
  mkdirSync(folder('blobs'), { recursive: true })
})
afterEach(async () => {
  await hub.stop()
  for (const path of [root, outside]) rmSync(path, { recursive: true, force: true })
})

const PRECIOUS = 'precious'.repeat(10)
const folder = (...names: string[]) => join(root, 'models--org--name', ...names)
const precious = () => readFileSync(join(outside, 'precious'), 'utf8')
/** Of a process that has ended, so that anybody would take over what it left. */
const deadIdentity = () => newIdentity().replace(/^p\d+s\d+/, 'p1s1')
const partial = () => folder('blobs', `${etag}.${deadIdentity()}.incomplete`)

async function expectWhole(): Promise<void> {
  await pull(hub, root)
  expect(readFileSync(folder('snapshots', COMMIT, DATA)).equals(repo.files[DATA] as Buffer)).toBe(true)
  expect(lstatSync(folder('blobs', etag)).isFile()).toBe(true)
}

describe('in the place of a partial file', () => {
  it.each(['a link', 'a second name', 'a pipe', 'a link to a device', 'a folder'])(
    '%s is not written to',
    async (kind) => {
      const path = partial()
      if (kind === 'a link') symlinkSync(join(outside, 'precious'), path)
      if (kind === 'a second name') linkSync(join(outside, 'precious'), path)
      if (kind === 'a pipe') execFileSync('mkfifo', [path])
      if (kind === 'a link to a device') symlinkSync('/dev/zero', path)
      if (kind === 'a folder') mkdirSync(path)
      await expectWhole()
      expect(precious()).toBe(PRECIOUS)
    },
  )

  it.runIf(isRoot)('a file of another user’s is left alone (needs root)', async () => {
    const path = partial()
    writeFileSync(path, 'theirs')
    chownSync(path, NOBODY, NOBODY)
    await expectWhole()
    expect(readFileSync(path, 'utf8')).toBe('theirs')
  })

  it('a file of our own is still gone on with', async () => {
    writeFileSync(partial(), (repo.files[DATA] as Buffer).subarray(0, WEIGHTS / 2))
    await expectWhole()
    const asked = hub.gets(DATA).filter((request) => request.origin === 'cdn')
    expect(asked.map(({ headers }) => headers.range)).toEqual([`bytes=${WEIGHTS / 2}-`])
  })
})

describe('in the place of a lock', () => {
  it.each(['a dangling link', 'a link', 'a pipe', 'a folder'])(
    '%s keeps nobody waiting',
    async (kind) => {
      mkdirSync(join(root, '.locks/models--org--name'), { recursive: true })
      const path = join(root, '.locks/models--org--name', `${etag}.spout.lock`)
      if (kind === 'a dangling link') symlinkSync(join(outside, 'made'), path)
      if (kind === 'a link') symlinkSync(join(outside, 'precious'), path)
      if (kind === 'a pipe') execFileSync('mkfifo', [path])
      if (kind === 'a folder') mkdirSync(path)
      await expectWhole()
      expect(existsSync(join(outside, 'made'))).toBe(false)
      expect(precious()).toBe(PRECIOUS)
    },
    5000,
  )
})

describe('in the place of other files', () => {
  it('a dangling CACHEDIR.TAG makes no file elsewhere', async () => {
    symlinkSync(join(outside, 'made'), join(root, 'CACHEDIR.TAG'))
    await expectWhole()
    expect(existsSync(join(outside, 'made'))).toBe(false)
  })

  it('a pipe as a ref, and as a list of files, is as good as absent', async () => {
    mkdirSync(folder('refs'))
    mkdirSync(folder('trees'))
    execFileSync('mkfifo', [folder('refs/main'), folder('trees', `${COMMIT}.json`)])
    await expect(pull(hub, root, { offline: true })).rejects.toMatchObject({ code: 'not-found' })
    await expectWhole()
    expect(readFileSync(folder('refs/main'), 'utf8')).toBe(COMMIT)
  })

  it
    .runIf(isRoot)
    .each([
      'models--org--name',
      'models--org--name/blobs',
      'models--org--name/snapshots',
      `models--org--name/snapshots/${COMMIT}/onnx`,
      'models--org--name/refs',
      '.locks',
    ])('a link of another user’s in the place of %s is not entered: 77 (needs root)', async (name) => {
    rmSync(folder(), { recursive: true })
    const path = join(root, name)
    mkdirSync(join(path, '..'), { recursive: true })
    symlinkSync(outside, path)
    execFileSync('chown', ['-h', 'nobody', path])
    await expect(pull(hub, root)).rejects.toMatchObject({ code: 'permission' })
    expect(precious()).toBe(PRECIOUS)
    expect(execFileSync('ls', ['-A', outside], { encoding: 'utf8' })).toBe('precious\n')
  })
})

describe('models rm', () => {
  it('removes nothing behind links of folders, whatever a pointer says', async () => {
    await expectWhole()
    symlinkSync(outside, folder('elsewhere'))
    symlinkSync('../../elsewhere/precious', folder('snapshots', COMMIT, 'extra.json'))
    removeModel(root, REPO)
    expect(existsSync(folder())).toBe(false)
    expect(precious()).toBe(PRECIOUS)
  })
})
