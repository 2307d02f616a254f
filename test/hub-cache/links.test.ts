/** Caches whose folders or blobs their owner has put elsewhere, by links. */
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, symlinkSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { removeModel } from '../../src/hub-cache/remove-model.ts'
import { scanCache } from '../../src/hub-cache/scan-cache.ts'
import { verifySnapshot } from '../../src/hub-cache/verify-model.ts'
import { FakeHub } from '../support/fake-hub.ts'
import { COMMIT, modelRepo, PULLED, pull, REPO, temporaryFolder } from '../support/model-repo.ts'

let hub: FakeHub
let root: string
let disk: string
beforeEach(async () => {
  hub = await FakeHub.start()
  hub.repos.set(REPO, modelRepo())
  root = temporaryFolder()
  disk = temporaryFolder()
})
afterEach(async () => {
  await hub.stop()
  rmSync(root, { recursive: true, force: true })
})

const folder = (...names: string[]) => join(root, 'models--org--name', ...names)

/** Puts a folder or file of the model elsewhere, and a link in its place. */
function putAway(...names: string[]): void {
  const target = join(disk, names.at(-1)!)
  mkdirSync(dirname(folder(...names)), { recursive: true })
  if (existsSync(folder(...names))) renameSync(folder(...names), target)
  else mkdirSync(target)
  symlinkSync(target, folder(...names))
}

/** That the model can be used, is seen whole, and goes without anything left in its folders. */
async function expectWhole(): Promise<void> {
  expect(await pull(hub, root, { offline: true })).toMatchObject({ dtype: 'q4' })
  const [snapshot] = scanCache(root)
  expect(snapshot!.files.map(({ name }) => name)).toEqual(PULLED)
  expect(await verifySnapshot(snapshot!)).toMatchObject({ good: PULLED.length, corrupt: [], missing: [] })
}

describe.skipIf(process.platform === 'win32')('a cache with links of its owner', () => {
  it.each([['snapshots'], ['blobs'], ['snapshots', COMMIT], ['snapshots', COMMIT, 'onnx']])(
    'is filled where %j %j %j is one from the start',
    async (...names: string[]) => {
      putAway(...names.filter(Boolean))
      await pull(hub, root)
      await expectWhole()
      await pull(hub, root, { refresh: true })
      await expectWhole()
    },
  )

  it('is gone on with where `snapshots` and `blobs` went to another disk together', async () => {
    await pull(hub, root)
    putAway('snapshots')
    putAway('blobs')
    await expectWhole()
    await pull(hub, root, { refresh: true, repair: true })
    await expectWhole()
  })

  it('keeps what single blobs were linked to when the model is removed', async () => {
    await pull(hub, root)
    const blobs = readdirSync(folder('blobs'))
    for (const blob of blobs) putAway('blobs', blob)
    await expectWhole()
    const locks = join(root, '.locks/models--org--name')
    expect(existsSync(locks)).toBe(true)
    expect(removeModel(root, REPO)).toMatchObject({ freed: 0 })
    expect(readdirSync(disk)).toEqual(blobs)
    expect([folder(), locks].map((path) => existsSync(path))).toEqual([false, false])
  })

  it('mends pointers that its `snapshots` moved away from', async () => {
    await pull(hub, root)
    putAway('snapshots')
    await expect(pull(hub, root, { offline: true })).rejects.toMatchObject({ code: 'not-found' })
    await pull(hub, root)
    await expectWhole()
  })
})
